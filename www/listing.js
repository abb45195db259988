/**
 * One of the server's lists, read again whenever something happens that it may show. A list is a little behind the log: while it
 * is behind what the user did, it says so.
 *
 * @typedef {object} Item
 * @property {string} stream
 * @property {string} id
 * @property {string | null} status
 * @property {any} state
 *
 * @typedef {{ items: Item[], position: string, next: string | null }} Page
 */

import { isBefore } from './positions.js';

/** However often something happens, it is read so often at most. */
const REST_MS = 300;
const AGAIN_MS = 1_000;

export class Listing {
  /** @type {Item[]} */
  items = [];
  /** What it has come to. */
  position = '';
  hasMore = false;
  /** @type {Error | undefined} */
  error;
  /** What the user did last, as a place. */
  #did = '';
  /** What happened last that it may show. */
  #heard = '';
  #isReading = false;
  #isStale = false;
  #read;
  #changed;
  #restMs;

  /**
   * @param {object} options
   * @param {(wanted: { minPosition: string }) => Promise<Page>} options.read
   * @param {() => void} options.changed
   * @param {number} [options.restMs]
   */
  constructor({ read, changed, restMs = REST_MS }) {
    this.#read = read;
    this.#changed = changed;
    this.#restMs = restMs;
  }

  /** Whether it is behind what the user did. */
  get isBehind() {
    return this.#isBefore(this.#did);
  }

  /**
   * The user did something, and it was recorded here.
   *
   * @param {string} position
   */
  did(position) {
    this.#did = later(this.#did, position);
    this.heard(position);
    this.#changed();
  }

  /**
   * Something happened here that it may show.
   *
   * @param {string} position
   */
  heard(position) {
    this.#heard = later(this.#heard, position);
    void this.refresh();
  }

  /**
   * It was read already.
   *
   * @param {Page} page
   */
  take({ items, position, next }) {
    Object.assign(this, { items, position, hasMore: next !== null, error: undefined });
    this.#changed();
  }

  /** Another log is served. */
  reset() {
    Object.assign(this, { items: [], position: '', hasMore: false });
    this.#did = this.#heard = '';
    return this.refresh();
  }

  /** Reads it again, once more if it is being read already. */
  async refresh() {
    this.#isStale = true;
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#isStale || this.#isBefore(this.#heard)) {
      this.#isStale = false;
      const isRead = await this.#once();
      await new Promise((resolve) => setTimeout(resolve, isRead ? this.#restMs : AGAIN_MS));
    }
    this.#isReading = false;
  }

  async #once() {
    try {
      this.take(await this.#read({ minPosition: this.#heard }));
      return true;
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      // That it takes longer than the server waits is no failure.
      const isBehind = 'code' in error && error.code === 'behind';
      this.error = isBehind ? undefined : error;
      this.#isStale = true;
      this.#changed();
      return false;
    }
  }

  /** @param {string} place */
  #isBefore(place) {
    return place !== '' && (this.position === '' || isBefore(this.position, place));
  }
}

/**
 * @param {string} known
 * @param {string} other
 */
function later(known, other) {
  return known !== '' && isBefore(other, known) ? known : other;
}
