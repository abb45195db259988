/**
 * The bugs that are open: on a side that is wrong, those it should not list are marked, and those it lacks are counted.
 *
 * @import { Bug, State } from './types.js'
 */

import { count, surplusBugs } from './compare.js';
import { make } from './dom.js';

const SHOWN_LIMIT = 4;

export function bugList() {
  const element = make('ul', 'bugs');
  let drawn = '';

  /**
   * @param {State} state
   * @param {State | null} truth  What it should be, where it is wrong.
   */
  function draw(state, truth) {
    const surplus = truth ? surplusBugs(state, truth) : new Set();
    const missing = truth ? surplusBugs(truth, state).size : 0;
    const key = JSON.stringify([state.bugs, [...surplus], missing]);
    if (key === drawn) return;
    drawn = key;
    const items = state.bugs.map((bug, place) => item(bug, surplus.has(place)));
    const hidden = items.length - SHOWN_LIMIT;
    element.replaceChildren(...items.slice(-SHOWN_LIMIT));
    if (hidden > 0) element.append(make('li', 'more', `and ${count(hidden, 'earlier bug')}`));
    if (missing > 0) element.append(make('li', 'missing', `${count(missing, 'bug')} missing here`));
  }

  return { element, draw };
}

/**
 * @param {Bug} bug
 * @param {boolean} isWrong
 */
function item({ text, version }, isWrong) {
  const words = make(isWrong ? 'mark' : 'span', '', text || 'a bug without a description');
  const about = make('span', 'about', version > 0 ? `in version ${version}` : '');
  return make('li', isWrong ? 'is-wrong' : '', words, ' ', about);
}
