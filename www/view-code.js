/**
 * A function's code, with what changed: lines that are new since the last version, and, on a side that is wrong, the
 * lines that should not be there.
 *
 * @import { State } from './types.js'
 */

import { count } from './compare.js';
import { diffLines } from './lines.js';
import { make } from './dom.js';

const LINE_LIMIT = 40;

/** What a changed line is, as an element that says so to a screen reader too. */
const TAGS = /** @type {const} */ ({ same: 'span', added: 'ins', removed: 'del', wrong: 'mark' });

export function codeBlock() {
  const code = make('code');
  const summary = make('summary');
  const element = make('details', 'code', summary, make('pre', '', code));
  let drawn = '';
  let isFolded = false;
  element.open = true;

  /**
   * @param {State} state
   * @param {State | null} truth  What it should be, where it is wrong.
   */
  function draw(state, truth) {
    const key = JSON.stringify([state.code, truth ? truth.code : state.codeBefore, truth !== null]);
    if (key === drawn) return;
    drawn = key;
    element.hidden = state.code === '';
    const lines = truth ? wrongLines(truth.code, state.code) : changedLines(state.codeBefore, state.code);
    summary.textContent = summaryOf(lines.map(({ change }) => change));
    const shown = lines.slice(0, LINE_LIMIT);
    code.replaceChildren(...shown.map(newLine));
    const more = lines.length - LINE_LIMIT;
    if (more > 0) code.append(make('span', 'line more', `… ${more} more lines`));
  }

  /**
   * Acts only when the wish changes, so that what the reader opened stays open.
   *
   * @param {boolean} folded
   */
  function fold(folded) {
    if (folded === isFolded) return;
    isFolded = folded;
    element.open = !folded;
  }

  return { element, draw, fold };
}

/**
 * What does not fit goes on below, further in than the line begins.
 *
 * @param {{ change: keyof typeof TAGS, text: string }} line
 */
function newLine({ change, text }) {
  const line = make(TAGS[change], 'line', text || ' ');
  line.style.setProperty('--indent', `${text.length - text.trimStart().length + 2}ch`);
  return line;
}

/** @param {(keyof typeof TAGS)[]} changes */
function summaryOf(changes) {
  const number = (/** @type {keyof typeof TAGS} */ kind) => changes.filter((change) => change === kind).length;
  const lines = count(changes.length - number('removed'), 'line');
  if (number('wrong') > 0) return `${lines}, ${number('wrong')} wrong`;
  return number('added') > 0 ? `${lines}, ${number('added')} changed` : lines;
}

/**
 * @param {string} truth
 * @param {string} shown
 */
function wrongLines(truth, shown) {
  return diffLines(truth, shown)
    .filter(({ change }) => change !== 'removed')
    .map(({ change, text }) => ({ text, change: change === 'added' ? /** @type {const} */ ('wrong') : change }));
}

/**
 * @param {string} before
 * @param {string} after
 */
function changedLines(before, after) {
  const lines = diffLines(before, after);
  const kept = lines.filter(({ change }) => change === 'same').length;
  // Of a rewrite, the old lines would only be in the way.
  return kept * 2 < lines.length ? lines.filter(({ change }) => change !== 'removed') : lines;
}
