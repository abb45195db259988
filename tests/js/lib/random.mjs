/** Numbers that look random and are the same for the same seed: xorshift32 (Marsaglia, 2003). */

/** @typedef {(limit: number) => number} Random  A whole number from 0 on, below `limit`. */

/**
 * @param {number} seed
 * @returns {Random}
 */
export function randomNumbers(seed) {
    // Neighbouring seeds should not begin alike.
    let state = Math.imul(seed, 0x9e3779b1) >>> 0 || 1;
    return (limit) => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) % limit;
    };
}
