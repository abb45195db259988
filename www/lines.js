/** Which lines of a text changed: by longest common subsequence, for texts as short as the functions on this page. */

/**
 * @typedef {object} Line
 * @property {'same' | 'added' | 'removed'} change
 * @property {string} text
 */

/** Above this, both texts are too long to compare while the page is drawn: every line counts as the same. */
export const DIFF_LIMIT_LINES = 300;

/**
 * The lines of `after`, with those that only `before` has where they were.
 *
 * @param {string} before
 * @param {string} after
 * @returns {Line[]}
 */
export function diffLines(before, after) {
  const old = split(before);
  const now = split(after);
  if (old.length === 0 || old.length > DIFF_LIMIT_LINES || now.length > DIFF_LIMIT_LINES) {
    return now.map((text) => ({ change: 'same', text }));
  }
  const common = commonLengths(old, now);
  /** @type {Line[]} */
  const lines = [];
  let i = 0;
  let j = 0;
  for (;;) {
    const was = old[i];
    const is = now[j];
    if (was === undefined && is === undefined) return lines;
    if (was === is && is !== undefined) {
      lines.push({ change: 'same', text: is });
      i += 1;
      j += 1;
    } else if (is === undefined || (was !== undefined && common(i + 1, j) >= common(i, j + 1))) {
      lines.push({ change: 'removed', text: was ?? '' });
      i += 1;
    } else {
      lines.push({ change: 'added', text: is });
      j += 1;
    }
  }
}

/**
 * How many lines `old` from `i` on and `now` from `j` on have in common, in order.
 *
 * @param {string[]} old
 * @param {string[]} now
 * @returns {(i: number, j: number) => number}
 */
function commonLengths(old, now) {
  const width = now.length + 1;
  const lengths = new Uint16Array((old.length + 1) * width);
  /** @type {(i: number, j: number) => number} */
  const common = (i, j) => lengths[i * width + j] ?? 0;
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      const apart = Math.max(common(i + 1, j), common(i, j + 1));
      lengths[i * width + j] = old[i] === now[j] ? common(i + 1, j + 1) + 1 : apart;
    }
  }
  return common;
}

/** @param {string} text */
function split(text) {
  return text === '' ? [] : text.replace(/\n+$/, '').split('\n');
}
