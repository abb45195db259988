/**
 * The little chart on a card: the revision that was shown after each message. On the left it falls whenever something
 * old arrives; on the right it only rises, like a high-water mark.
 */

import { count } from './compare.js';
import { makeSvg } from './dom.js';

const WIDTH = 112;
const HEIGHT = 26;
const MARGIN = 3;
/** How far apart two arrivals are drawn at most. */
const STEP_LIMIT = 14;

/** @param {'left' | 'right'} side */
export function trail(side) {
  const line = makeSvg('path', { class: 'trail-line' });
  const falls = makeSvg('path', { class: 'trail-fall' });
  const here = makeSvg('circle', { class: 'trail-here', r: 2.6 });
  const element = makeSvg('svg', { class: 'trail', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img' });
  element.append(line, falls, here);

  /** @param {number[]} revisions */
  function draw(revisions) {
    element.classList.toggle('is-empty', revisions.length < 2);
    if (revisions.length < 2) return;
    const points = place(revisions);
    line.setAttribute('d', side === 'left' ? straight(points) : steps(points));
    falls.setAttribute('d', falling(points));
    const [x, y] = points.at(-1) ?? [0, 0];
    here.setAttribute('cx', String(x));
    here.setAttribute('cy', String(y));
    element.setAttribute('aria-label', words(revisions));
  }

  return { element, draw };
}

/**
 * @param {number[]} revisions
 * @returns {[number, number][]}
 */
function place(revisions) {
  const low = Math.min(...revisions);
  const span = Math.max(1, Math.max(...revisions) - low);
  const step = Math.min(STEP_LIMIT, (WIDTH - 2 * MARGIN) / (revisions.length - 1));
  return revisions.map((revision, at) => [
    round(MARGIN + at * step),
    round(HEIGHT - MARGIN - ((revision - low) / span) * (HEIGHT - 2 * MARGIN)),
  ]);
}

/** @param {[number, number][]} points */
function straight(points) {
  return `M${points.map(([x, y]) => `${x} ${y}`).join('L')}`;
}

/** @param {[number, number][]} points */
function steps(points) {
  return points.map(([x, y], at) => (at === 0 ? `M${x} ${y}` : `H${x}V${y}`)).join('');
}

/**
 * The stretches where it went down, drawn over the line.
 *
 * @param {[number, number][]} points
 */
function falling(points) {
  return pairs(points)
    .map(([[x0, y0], [x, y]]) => (y > y0 ? `M${x0} ${y0}L${x} ${y}` : ''))
    .join('');
}

/** @param {number[]} revisions */
function words(revisions) {
  const falls = pairs(revisions).filter(([before, after]) => after < before).length;
  return falls > 0 ? `Went back ${count(falls, 'time')}` : 'Never went back';
}

/**
 * Each item with the one after it.
 *
 * @template T
 * @param {T[]} items
 * @returns {[T, T][]}
 */
function pairs(items) {
  return items.slice(1).map((item, at) => [/** @type {T} */ (items[at]), item]);
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
