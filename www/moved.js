/**
 * The streams that moved since the last picture. A hidden tab draws none, for hours, and a flood names many streams between
 * two: beyond a limit the names are forgotten, and every stream counts as moved.
 */

export const MOVED_LIMIT = 256;

export class Moved {
  /** @type {Set<string>} */
  #streams = new Set();
  #isEvery = false;

  /** @param {string} stream */
  add(stream) {
    if (this.#isEvery) return;
    this.#streams.add(stream);
    if (this.#streams.size <= MOVED_LIMIT) return;
    this.#streams.clear();
    this.#isEvery = true;
  }

  /** @param {string} stream */
  has(stream) {
    return this.#isEvery || this.#streams.has(stream);
  }

  clear() {
    this.#streams.clear();
    this.#isEvery = false;
  }
}
