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
  #wanted = '';
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
    return this.#wanted !== '' && (this.position === '' || isBefore(this.position, this.#wanted));
  }

  /**
   * The user did something, and it was recorded here.
   *
   * @param {string} position
   */
  did(position) {
    if (this.#wanted === '' || !isBefore(position, this.#wanted)) this.#wanted = position;
    void this.refresh();
    this.#changed();
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
    this.#wanted = '';
    return this.refresh();
  }

  /** Reads it again, once more if it is being read already. */
  async refresh() {
    this.#isStale = true;
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#isStale || this.isBehind) {
      this.#isStale = false;
      const isRead = await this.#once();
      await new Promise((resolve) => setTimeout(resolve, isRead ? this.#restMs : AGAIN_MS));
    }
    this.#isReading = false;
  }

  async #once() {
    try {
      this.take(await this.#read({ minPosition: this.isBehind ? this.#wanted : '' }));
      return true;
    } catch (thrown) {
      this.error = thrown instanceof Error ? thrown : new Error(String(thrown));
      this.#isStale = true;
      this.#changed();
      return false;
    }
  }
}
