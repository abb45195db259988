/**
 * Numbers that are random and the same for the same seed: xorshift32 (Marsaglia, 2003).
 *
 * @param {number} seed
 * @returns {(limit: number) => number} Gives a whole number below `limit`.
 */
export function randomNumbers(seed) {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}
