/**
 * The events of one stream that a page shows: so many in a row, and each with what it did to the state. Bounded: while it is
 * at the stream's end, what is new pushes out what is oldest. Pure.
 *
 * @import { CloudEvent } from 'highwater'
 *
 * @typedef {object} Entry
 * @property {CloudEvent} event
 * @property {boolean} isStale  It is about an older version than was known: it moved nothing.
 * @property {boolean} isRaise  It brought a new version.
 */

export const WINDOW_EVENTS_MAX = 200;

export class EventWindow {
  /** @type {Entry[]} */
  entries = [];
  /** The revision of the stream's last event that is known of. */
  last = 0;
  /** The highest version up to the last entry. */
  #version = 0;

  get first() {
    return this.entries[0]?.event.revision ?? 1;
  }

  /** Whether the last entry is the stream's last event. */
  get isAtEnd() {
    return this.last === (this.entries.at(-1)?.event.revision ?? 0);
  }

  /**
   * Shows these events instead, which follow each other.
   *
   * @param {CloudEvent[]} events
   * @param {{ last: number, versionBefore: number }} stream  Its last revision, and its version before the first of them.
   */
  replace(events, { last, versionBefore }) {
    this.entries = [];
    this.#version = versionBefore;
    this.last = Math.max(this.last, last);
    for (const event of events.slice(0, WINDOW_EVENTS_MAX)) this.#push(event);
  }

  /**
   * Takes the stream's next event; one that is not next is told by `false`, and only known of.
   *
   * @param {CloudEvent} event
   */
  add(event) {
    const isNext = this.isAtEnd && event.revision === this.last + 1;
    if (isNext) this.#push(event);
    if (this.entries.length > WINDOW_EVENTS_MAX) this.entries.shift();
    const isKnown = event.revision <= this.last;
    this.last = Math.max(this.last, event.revision);
    return isNext || isKnown;
  }

  /** Another log is served. */
  clear() {
    this.entries = [];
    this.last = 0;
    this.#version = 0;
  }

  /** @param {number | null} revision */
  find(revision) {
    return this.entries.find(({ event }) => event.revision === revision);
  }

  /** @param {CloudEvent} event */
  #push(event) {
    const { version } = event;
    this.entries.push({ event, isStale: version < this.#version, isRaise: version > this.#version });
    this.#version = Math.max(this.#version, version);
  }
}
