/**
 * Vector clocks, as events carry them: what their actor had seen of each actor's events. Pure.
 *
 * @typedef {'before' | 'after' | 'same' | 'concurrent' | 'unknown'} Relation  How one event stands to another.
 * @typedef {ReadonlyMap<string, number>} Clock
 */

/**
 * Reads `actor=counter,actor=counter`, where an actor's `,`, `=` and `%` are percent-encoded. What cannot be read says nothing.
 *
 * @param {string | undefined} text
 * @returns {Clock}
 */
export function parseClock(text) {
  const pairs = (text ?? '').split(',').map((pair) => /^([^=]+)=([1-9]\d{0,15})$/.exec(pair));
  /** @type {Map<string, number>} */
  const clock = new Map();
  if (!text) return clock;
  for (const pair of pairs) {
    if (!pair) return new Map();
    clock.set(decode(pair[1] ?? ''), Number(pair[2]));
  }
  return clock;
}

/**
 * How what happened at `one` stands to what happened at `other`: `before` where `other` had seen all of it and more,
 * `concurrent` where each had seen what the other had not. A clock that says nothing proves nothing.
 *
 * @param {Clock} one
 * @param {Clock} other
 * @returns {Relation}
 */
export function compareClocks(one, other) {
  if (one.size === 0 || other.size === 0) return 'unknown';
  const isSeen = isWithin(one, other);
  const hasSeen = isWithin(other, one);
  if (isSeen && hasSeen) return 'same';
  if (isSeen) return 'before';
  return hasSeen ? 'after' : 'concurrent';
}

/**
 * @param {Clock} one
 * @param {Clock} other
 */
function isWithin(one, other) {
  return [...one].every(([actor, counter]) => counter <= (other.get(actor) ?? 0));
}

/** @param {string} actor */
function decode(actor) {
  try {
    return decodeURIComponent(actor);
  } catch {
    return actor; // a `%` that encodes nothing
  }
}
