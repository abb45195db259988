/**
 * What stands between the sides: how much of the left is wrong now, and how many events got which verdict.
 *
 * @import { Board } from './board.js'
 */

import { count } from './compare.js';
import { find, setText } from './dom.js';

const COUNTED = /** @type {const} */ (['applied', 'stale', 'duplicate', 'gap']);

/** @typedef {Record<typeof COUNTED[number], number>} Counts */

/**
 * @param {HTMLElement} section
 */
export function mountGauge(section) {
  const score = find('#score', section);
  const number = find('b', score);
  const words = find('span', score);
  const times = find('#times', section);
  const next = find('#next-wrong', section);
  const pause = find('#pause', section);
  const cells = COUNTED.map((verdict) => ({ verdict, cell: find(`[data-verdict=${verdict}] .number`, section) }));

  /**
   * @param {Counts} counts
   * @param {ReturnType<Board['summary']>} board
   */
  function draw(counts, board) {
    for (const { verdict, cell } of cells) setText(cell, counts[verdict].toLocaleString('en'));
    score.dataset.wrong = String(board.wrong);
    setText(number, board.wrong.toLocaleString('en'));
    setText(words, scoreWords(board));
    setText(times, board.timesWrong > 0 ? `It went wrong ${count(board.timesWrong, 'time')} so far.` : '');
    // It keeps its place, and whose focus it has: what is wrong comes and goes.
    next.setAttribute('aria-disabled', String(board.wrong === 0));
  }

  /** @param {boolean} isPaused */
  function showPause(isPaused) {
    section.dataset.paused = String(isPaused);
    setText(pause, isPaused ? 'Go on' : 'Pause');
  }

  return { draw, showPause };
}

/** @param {ReturnType<Board['summary']>} board */
function scoreWords({ known, putAway, tasksOnly }) {
  if (known === 0) return 'Nothing has arrived yet';
  const streams = count(known, tasksOnly ? 'function' : 'stream');
  return `of ${putAway > 0 ? `the last ${streams}` : streams} wrong on the left now`;
}
