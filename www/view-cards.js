/**
 * The cards: for each stream that is to be seen, what the left side shows beside what the right side shows. A card
 * keeps its place while it is shown, so that nothing jumps under the reader's eyes.
 *
 * @import { Pair } from './board.js'
 */

import { bugList } from './view-bugs.js';
import { codeBlock } from './view-code.js';
import { trail } from './view-trail.js';
import { make, setText } from './dom.js';
import { shortName, clockTime } from './words.js';

export const CARD_LIMIT = 24;
/** Beyond these, cards on which both sides agree fold their code away. */
const UNFOLDED_CARDS = 6;

const TASK = /^space:[^:]+:tasks:[^:]+$/;

/**
 * @param {HTMLElement} list
 */
export function mountCards(list) {
  /** @type {Map<string, ReturnType<typeof newRow>>} */
  const rows = new Map();
  /** @type {HTMLElement | undefined} */
  let visited;

  /**
   * Draws the pairs that moved since the last time.
   *
   * @param {Pair[]} pairs  All that are to be seen, the latest first.
   * @param {import('./moved.js').Moved} moved
   */
  function draw(pairs, moved) {
    const seen = new Set(pairs.map((pair) => pair.stream));
    for (const [stream, row] of rows) {
      if (seen.has(stream)) continue;
      row.element.remove();
      rows.delete(stream);
    }
    for (const [place, pair] of [...pairs.entries()].reverse()) {
      const known = rows.get(pair.stream);
      const row = known ?? newRow(pair.stream);
      if (!known) {
        rows.set(pair.stream, row);
        list.prepend(row.element);
      }
      if (!known || moved.has(pair.stream)) row.draw(pair);
      row.fold(place >= UNFOLDED_CARDS && agrees(pair));
    }
  }

  /** Moves on to the next card that is wrong, after the one that was gone to last. */
  function focusNextWrong() {
    /** @type {HTMLElement[]} */
    const wrong = [...list.querySelectorAll('.pair.is-wrong')].filter((element) => element instanceof HTMLElement);
    const next = wrong[visited ? wrong.indexOf(visited) + 1 : 0] ?? wrong[0];
    if (!next) return;
    visited = next;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: 'center' });
  }

  return { draw, focusNextWrong };
}

/** @param {Pair} pair */
function agrees(pair) {
  return pair.differences.length === 0 && pair.left.seen <= pair.right.seen;
}

/** @param {string} stream */
function newRow(stream) {
  const left = newCard(stream, 'left');
  const right = newCard(stream, 'right');
  const element = make('li', 'pair', left.element, right.element);
  element.dataset.stream = stream;
  element.tabIndex = -1;

  return {
    element,
    /** @param {Pair} pair */
    draw(pair) {
      element.classList.toggle('is-wrong', pair.differences.length > 0);
      left.draw(pair);
      right.draw(pair);
    },
    /** @param {boolean} folded */
    fold(folded) {
      left.fold(folded);
      right.fold(folded);
    },
  };
}

/**
 * @param {string} stream
 * @param {'left' | 'right'} side
 */
function newCard(stream, side) {
  const version = make('span', 'version');
  const phase = make('p', 'phase');
  const note = make('p', 'verdict');
  const text = make('p', 'text');
  const purpose = make('p', 'purpose');
  const code = codeBlock();
  const bugs = bugList();
  const chart = trail(side);
  const revision = make('span', 'revision');
  const title = make('h4', '', named(stream));
  title.title = stream;
  const owner = side === 'left' ? 'Naive' : 'Highwater';
  const whose = make('span', 'whose', owner);
  const element = make('article', `card is-${side}`, make('header', '', whose, title, version), purpose, note,
    phase, code.element, text,
    bugs.element, make('footer', '', chart.element, revision));

  element.setAttribute('aria-label', `${owner}: ${shortName(stream)}`);

  return {
    element,
    fold: code.fold,
    /** @param {Pair} pair */
    draw(pair) {
      const { state, seen } = pair[side];
      const wrong = side === 'left' ? new Set(pair.differences.map((difference) => difference.where)) : new Set();
      element.classList.toggle('is-wrong', wrong.size > 0);
      element.dataset.version = String(state.version);
      element.dataset.revision = String(state.revision);

      setText(version, state.version > 0 ? `version ${state.version}` : '');
      version.classList.toggle('is-wrong', wrong.has('version'));
      phase.classList.toggle('is-task', state.kind === 'task');
      setText(phase, state.kind === 'task' ? state.phase : state.type);
      phase.classList.toggle('is-wrong', wrong.has('phase') || wrong.has('last'));
      setText(note, side === 'left' ? leftNote(pair) : rightNote(pair));
      setText(purpose, state.purpose);
      setText(text, state.text);
      text.classList.toggle('is-wrong', wrong.has('last'));
      code.draw(state, wrong.has('version') || wrong.has('code') ? pair.truth : null);
      bugs.draw(state, wrong.has('bugs') ? pair.truth : null);
      chart.draw(pair[side].trail);
      setText(revision, seen > 0 ? `revision ${state.revision} · ${clockTime(state.time)}` : 'nothing yet');
    },
  };
}

/**
 * A stream by its name; a task's leads to its history.
 *
 * @param {string} stream
 */
function named(stream) {
  const name = shortName(stream);
  if (!TASK.test(stream)) return name;
  const link = make('a', '', name);
  link.href = `task?${new URLSearchParams({ stream })}`;
  return link;
}

/** @param {Pair} pair */
function leftNote(pair) {
  if (pair.differences.length > 0) return pair.differences.map((difference) => difference.why).join(' ');
  if (pair.left.seen > pair.right.seen) return 'Shown at once. Nobody checked what came before it.';
  if (pair.left.seen === pair.right.seen) return '';
  return pair.left.seen > 0 ? `What came after revision ${pair.left.seen} is still on its way here.` : 'Still on its way here.';
}

/** @param {Pair} pair */
function rightNote(pair) {
  if (pair.left.seen > pair.right.seen) return `Waits: what comes before revision ${pair.left.seen} is not here yet.`;
  return pair.firstRevision > 1 ? `Followed from revision ${pair.firstRevision} on.` : '';
}
