/**
 * What both sides know of every stream: two states side by side, moved by the same reducer. Pure, and bounded: the
 * streams that were quiet for longest are put away, on both sides at once.
 *
 * @import { CloudEvent, Difference, Header, State } from './types.js'
 */

import { differences } from './compare.js';
import { apply, NOTHING } from './task.js';

export const STREAM_LIMIT = 256;
/** How many arrivals a stream's little chart remembers. */
export const TRAIL_LIMIT = 28;
/** How many of a stream's states are remembered, for a left side that is so many messages late. */
export const PAST_LIMIT = 28;

/**
 * @typedef {object} Side
 * @property {State} state
 * @property {number} seen  The highest revision that this side has dealt with.
 * @property {number[]} trail  The revision shown after each of the last arrivals.
 */

/**
 * @typedef {object} Pair
 * @property {string} stream
 * @property {Side} left
 * @property {Side} right
 * @property {number} firstRevision  The earliest that arrived; what lies before it, this page has not read.
 * @property {boolean} isComparable  Not where the left side may have known it before it was put away.
 * @property {{ seen: number, state: State }[]} past  What the right side showed after each of the last messages.
 * @property {number} lostUpTo  What the right side had judged when the present connection began: from an earlier one, nothing
 *   arrives on the left any more.
 * @property {State} truth  What the left side should show.
 * @property {Difference[]} differences
 */

export class Board {
  /** @type {Map<string, Pair>} */
  #pairs = new Map();
  /** How many streams were put away. */
  #putAway = 0;
  /** How often the left side became wrong about a stream. */
  #timesWrong = 0;

  /**
   * The pairs to be seen, the latest first: half of them the ones that moved last, the others those about which the left
   * side is wrong, as far as there are any.
   *
   * @param {number} limit
   */
  seen(limit) {
    const latest = [...this.#pairs.values()].reverse();
    const others = latest.splice(Math.ceil(limit / 2));
    const isWrong = (/** @type {Pair} */ pair) => pair.differences.length > 0;
    const wrongFirst = [...others.filter(isWrong), ...others.filter((pair) => !isWrong(pair))];
    return [...latest, ...wrongFirst.slice(0, limit - latest.length)];
  }

  /** How many streams are known, about how many of them the left side is wrong, and whether all are tasks. */
  summary() {
    const pairs = [...this.#pairs.values()];
    return {
      known: pairs.length,
      putAway: this.#putAway,
      timesWrong: this.#timesWrong,
      wrong: pairs.filter((pair) => pair.differences.length > 0).length,
      tasksOnly: pairs.every((pair) => pair.left.state.kind === 'task' || pair.right.state.kind === 'task'),
    };
  }

  /** @param {string} stream */
  find(stream) {
    return this.#pairs.get(stream);
  }

  /**
   * The naive side applies whatever has arrived.
   *
   * @param {CloudEvent} event
   */
  arrived(event) {
    const pair = this.#touch(event.subject, event.revision, true);
    pair.left.state = apply(pair.left.state, event);
    pair.left.seen = Math.max(pair.left.seen, event.revision);
    keep(pair.left.trail, event.revision, TRAIL_LIMIT);
    return this.#compare(pair);
  }

  /**
   * Highwater has said: apply.
   *
   * @param {CloudEvent} event
   */
  applied(event) {
    const pair = this.#touch(event.subject, event.revision, this.#putAway === 0);
    pair.right.state = apply(pair.right.state, event);
    return this.#judged(pair, event.revision);
  }

  /**
   * Highwater has judged this event and left the state as it is.
   *
   * @param {Header} event
   */
  dropped(event) {
    return this.#judged(this.#touch(event.stream, event.revision, this.#putAway === 0), event.revision);
  }

  /**
   * A connection begins, and what the left side has not got of the one before it never will. Gives the streams where that is
   * so.
   */
  reconnected() {
    const behind = [...this.#pairs.values()].filter((pair) => pair.left.seen < pair.right.seen);
    for (const pair of this.#pairs.values()) pair.lostUpTo = pair.right.seen;
    return behind.map((pair) => this.#compare(pair).stream);
  }

  /** Another log is served from here on: what the left side knows is of no use. Each side learns it in its own time. */
  forgetLeft() {
    for (const pair of this.#pairs.values()) pair.left = newSide();
    this.#forget();
  }

  /** The same for the right side. */
  forgetRight() {
    for (const pair of this.#pairs.values()) pair.right = newSide();
    this.#forget();
  }

  #forget() {
    for (const [stream, pair] of this.#pairs) {
      Object.assign(pair, { differences: [], past: [], lostUpTo: 0 });
      if (pair.left.seen === 0 && pair.right.seen === 0) this.#pairs.delete(stream);
    }
  }

  /**
   * @param {Pair} pair
   * @param {number} revision
   */
  #judged(pair, revision) {
    pair.right.seen = Math.max(pair.right.seen, revision);
    keep(pair.right.trail, pair.right.seen, TRAIL_LIMIT);
    keep(pair.past, { seen: pair.right.seen, state: pair.right.state }, PAST_LIMIT);
    return this.#compare(pair);
  }

  /** @param {Pair} pair */
  #compare(pair) {
    const wasRight = pair.differences.length === 0;
    if (!pair.isComparable) return pair;
    const { left, right } = pair;
    // What is merely late is not wrong yet, if it is what was true before.
    const isLate = left.seen < right.seen && left.seen >= pair.lostUpTo;
    const before = pair.past.findLast(({ seen }) => seen <= left.seen);
    pair.truth = isLate && before ? before.state : right.state;
    const isKnown = !isLate || before !== undefined;
    const marks = { seenLeft: left.seen, judgedRight: isLate ? left.seen : right.seen };
    pair.differences = isKnown ? differences(left.state, pair.truth, marks) : [];
    if (wasRight && pair.differences.length > 0) this.#timesWrong += 1;
    return pair;
  }

  /**
   * @param {string} stream
   * @param {number} revision
   * @param {boolean} isComparable  Whether it would be, were it new.
   */
  #touch(stream, revision, isComparable) {
    const pair = this.#pairs.get(stream) ?? newPair(stream, isComparable);
    pair.firstRevision = Math.min(pair.firstRevision, revision);
    // A map keeps the order of insertion: what was touched last goes to its end, what is quiet stays at its front.
    this.#pairs.delete(stream);
    this.#pairs.set(stream, pair);
    if (this.#pairs.size > STREAM_LIMIT) {
      const [quietest = stream] = this.#pairs.keys();
      this.#pairs.delete(quietest);
      this.#putAway += 1;
    }
    return pair;
  }
}

/**
 * @param {string} stream
 * @param {boolean} isComparable
 * @returns {Pair}
 */
function newPair(stream, isComparable) {
  const sides = { left: newSide(), right: newSide() };
  return { stream, ...sides, firstRevision: Infinity, isComparable, past: [], lostUpTo: 0, truth: NOTHING, differences: [] };
}

/** @returns {Side} */
function newSide() {
  return { state: NOTHING, seen: 0, trail: [] };
}

/**
 * @template T
 * @param {T[]} list
 * @param {T} latest
 * @param {number} limit
 */
function keep(list, latest, limit) {
  list.push(latest);
  if (list.length > limit) list.shift();
}
