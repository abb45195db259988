/**
 * Where the left side is wrong about a stream, in words. Pure.
 *
 * The sides are compared only where both have seen the stream up to the same event: while Highwater holds an event back
 * because something before it is missing, the left side is ahead, and nobody can say yet whether it is wrong. And where
 * Highwater has fetched what is still on its way to the left, the board compares with what was true up to there.
 *
 * @import { Difference, State } from './types.js'
 */

/**
 * @param {State} left  What the naive side shows.
 * @param {State} right  What Highwater shows.
 * @param {{ seenLeft: number, judgedRight: number }} marks  The highest revision that each side has dealt with.
 * @returns {Difference[]}
 */
export function differences(left, right, { seenLeft, judgedRight }) {
  if (seenLeft > judgedRight) return [];
  const found = right.kind === 'task' ? taskDifferences(left, right) : otherDifferences(left, right);
  if (found.length > 0 && seenLeft < judgedRight) {
    const why = seenLeft > 0 ? `It has not got what came after revision ${seenLeft}.` : 'It has not got any of this.';
    found.unshift({ where: 'behind', why });
  }
  return found;
}

/**
 * @param {State} left
 * @param {State} right
 * @returns {Difference[]}
 */
function taskDifferences(left, right) {
  /** @type {Difference[]} */
  const found = [];
  if (left.version !== right.version) {
    found.push({ where: 'version', why: `It shows version ${left.version}. The newest is ${right.version}.` });
  } else if (left.code !== right.code) {
    found.push({ where: 'code', why: 'Its code is not the code of this version.' });
  }
  const bugs = bugDifference(left, right);
  if (bugs) found.push({ where: 'bugs', why: bugs });
  if (left.phase !== right.phase) {
    found.push({ where: 'phase', why: `It says ${quoted(left.phase)}. In truth: ${quoted(right.phase)}.` });
  }
  return found;
}

/** @param {string} phase */
function quoted(phase) {
  return phase === '' ? 'nothing yet' : `“${phase}”`;
}

/**
 * @param {State} left
 * @param {State} right
 */
function bugDifference(left, right) {
  const extra = surplusBugs(left, right).size;
  const missing = surplusBugs(right, left).size;
  const parts = [];
  if (extra > 0) parts.push(`${count(extra, 'bug')} too many`);
  if (missing > 0) parts.push(`${count(missing, 'bug')} too few`);
  return parts.length > 0 ? `It lists ${parts.join(' and ')}.` : '';
}

/**
 * The places in `here`'s list of bugs that `there` does not have; a bug that is listed twice has one too many.
 *
 * @param {State} here
 * @param {State} there
 * @returns {Set<number>}
 */
export function surplusBugs(here, there) {
  const open = there.bugs.map((bug) => bug.id);
  const surplus = new Set();
  here.bugs.forEach((bug, place) => {
    const match = open.indexOf(bug.id);
    if (match < 0) surplus.add(place);
    else open.splice(match, 1);
  });
  return surplus;
}

/**
 * @param {State} left
 * @param {State} right
 * @returns {Difference[]}
 */
function otherDifferences(left, right) {
  if (left.revision === right.revision && left.text === right.text) return [];
  return [{ where: 'last', why: `It shows revision ${left.revision}. The newest is ${right.revision}.` }];
}

/**
 * @param {number} number
 * @param {string} noun
 */
export function count(number, noun) {
  return `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;
}
