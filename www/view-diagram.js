/**
 * The space–time diagram, as an SVG whose events are buttons: arrow keys go along the log and from actor to actor.
 *
 * @import { Arrow, Lane, Point } from './diagram.js'
 * @import { Entry } from './event-window.js'
 * @import { Relation } from './clocks.js'
 */

import { find, make, makeSvg, setText } from './dom.js';
import { LANE_HEIGHT, layOut, RADIUS, relationsTo, STEP_MIN, TOP } from './diagram.js';
import { clockTime, nounOf } from './words.js';

const SPACE = 6;
/** What a relation is called where the chosen event is spoken of. */
const RELATIONS = {
  chosen: 'chosen',
  before: 'before the chosen one',
  after: 'after the chosen one',
  same: 'knew the same as the chosen one',
  concurrent: 'concurrent with the chosen one',
  unknown: 'its clock says nothing',
};

/**
 * @param {HTMLElement} section
 * @param {(revision: number) => void} choose
 */
export function mountDiagram(section, choose) {
  const scroll = find('.track', section);
  const lanes = find('.lanes', section);
  /** @type {SVGElement} */
  const svg = find('svg', section);
  const [backdrop, arrows, dots] = [makeSvg('g'), makeSvg('g', { class: 'arrows' }), makeSvg('g', { class: 'dots' })];
  svg.append(backdrop, arrows, dots);
  /** @type {Map<number, ReturnType<typeof newDot>>} */
  const drawn = new Map();
  /** @type {Point[]} */
  let points = [];
  let isAtEnd = true;

  scroll.addEventListener('scroll', () => {
    isAtEnd = scroll.scrollLeft + scroll.clientWidth >= scroll.scrollWidth - STEP_MIN;
  });
  dots.addEventListener('click', ({ target }) => {
    const revision = revisionOf(target);
    if (revision) choose(revision);
  });
  dots.addEventListener('keydown', (event) => {
    if (!(event instanceof KeyboardEvent)) return;
    const revision = revisionOf(event.target);
    const goal = revision ? goalOf(event.key, revision, points) : undefined;
    if (goal === undefined) return;
    event.preventDefault();
    choose(goal);
    drawn.get(goal)?.focus();
  });

  /**
   * @param {readonly Entry[]} entries
   * @param {number | null} chosen  A revision.
   */
  function draw(entries, chosen) {
    const laid = layOut(entries, scroll.clientWidth);
    points = laid.points;
    const relations = relationsTo(points, chosen);
    svg.setAttribute('viewBox', `0 0 ${laid.width} ${laid.height}`);
    svg.setAttribute('width', String(laid.width));
    svg.setAttribute('height', String(laid.height));
    lanes.style.setProperty('--lane', `${LANE_HEIGHT}px`);
    lanes.style.setProperty('--top', `${TOP}px`);
    drawLanes(lanes, laid.lanes);
    backdrop.replaceChildren(...laid.lanes.map((_, at) => line(at, laid.width)), ...points.filter(({ entry }) => entry.isRaise).flatMap((point) => raise(point, laid.height)));
    arrows.replaceChildren(...laid.arrows.map((arrow) => newArrow(arrow, chosen)));
    drawDots(chosen, relations);
    if (chosen === null && isAtEnd) scroll.scrollLeft = scroll.scrollWidth;
    return relations;
  }

  /**
   * A dot stays the same element while it is shown, so that it keeps the focus.
   *
   * @param {number | null} chosen
   * @param {ReturnType<typeof relationsTo>} relations
   */
  function drawDots(chosen, relations) {
    const shown = new Set(points.map(({ entry }) => entry.event.revision));
    for (const [revision, dot] of drawn) {
      if (shown.has(revision)) continue;
      dot.element.remove();
      drawn.delete(revision);
    }
    const reached = chosen !== null && shown.has(chosen) ? chosen : points.at(-1)?.entry.event.revision;
    for (const point of points) {
      const { revision } = point.entry.event;
      const dot = drawn.get(revision) ?? newDot(point.entry);
      if (!drawn.has(revision)) {
        drawn.set(revision, dot);
        dots.append(dot.element);
      }
      dot.draw(point, relations.get(revision), revision === reached);
    }
  }

  return {
    draw,
    /** @param {number} revision */
    reveal(revision) {
      const point = points.find(({ entry }) => entry.event.revision === revision);
      if (!point) return;
      const [left, right] = [point.x - 2 * STEP_MIN, point.x + 2 * STEP_MIN - scroll.clientWidth];
      if (scroll.scrollLeft > left) scroll.scrollLeft = left;
      else if (scroll.scrollLeft < right) scroll.scrollLeft = right;
    },
  };
}

/**
 * @param {HTMLElement} list
 * @param {Lane[]} lanes
 */
function drawLanes(list, lanes) {
  const names = lanes.map(({ name }) => name);
  if ([...list.children].map(({ textContent }) => textContent).join('\n') === names.join('\n')) return;
  list.replaceChildren(...lanes.map(({ name, actors }) => {
    const item = make('li', '', make('span', '', name));
    item.title = actors.slice(0, 20).join(', ');
    return item;
  }));
}

/**
 * @param {number} lane
 * @param {number} width
 */
function line(lane, width) {
  const y = TOP + LANE_HEIGHT * (lane + 0.5);
  return makeSvg('line', { class: 'lane', x1: 0, x2: width, y1: y, y2: y });
}

/**
 * @param {Point} point
 * @param {number} height
 */
function raise({ x, entry }, height) {
  const label = makeSvg('text', { class: 'raise-label', x, y: TOP - 10 });
  label.textContent = `v${entry.event.version}`;
  return [makeSvg('line', { class: 'raise', x1: x, x2: x, y1: TOP - SPACE, y2: height }), label];
}

/**
 * @param {Arrow} arrow
 * @param {number | null} chosen
 */
function newArrow({ from, to, path }, chosen) {
  const isNear = chosen !== null && (from === chosen || to === chosen);
  return makeSvg('path', { class: `arrow${isNear ? ' is-near' : ''}`, d: path, 'data-from': from ?? '', 'data-to': to });
}

/** @param {Entry} entry */
function newDot({ event, isStale }) {
  const element = makeSvg('g', { role: 'button', 'data-revision': event.revision });
  const title = makeSvg('title');
  element.append(makeSvg('circle', { class: 'reach', r: STEP_MIN / 2 }), makeSvg('circle', { class: 'halo', r: RADIUS + 5 }),
    makeSvg('rect', { class: 'core', x: -RADIUS, y: -RADIUS, width: 2 * RADIUS, height: 2 * RADIUS }), title);

  return {
    element,
    focus: () => element.focus({ preventScroll: true }),
    /**
     * @param {Point} point
     * @param {Relation | 'chosen' | undefined} relation
     * @param {boolean} isReached  Whether the tab key comes to this one.
     */
    draw({ x, y }, relation, isReached) {
      const words = [`Event ${event.revision}: ${nounOf(event.type)} by ${event.source}`, event.version > 0 ? `version ${event.version}` : '',
        isStale ? 'stale' : '', relation ? RELATIONS[relation] : ''].filter(Boolean).join(', ');
      element.setAttribute('class', `dot${isStale ? ' is-stale' : ''}${relation ? ` is-${relation}` : ''}`);
      element.setAttribute('transform', `translate(${x} ${y})`);
      element.setAttribute('tabindex', isReached ? '0' : '-1');
      element.setAttribute('aria-pressed', String(relation === 'chosen'));
      element.setAttribute('aria-label', words);
      setText(title, `${words}, ${clockTime(event.time)}`);
    },
  };
}

/** @param {EventTarget | null} target */
function revisionOf(target) {
  const dot = target instanceof Element ? target.closest('.dot') : null;
  return dot ? Number(dot.getAttribute('data-revision')) : undefined;
}

/**
 * The event that a key leads to from another one.
 *
 * @param {string} key
 * @param {number} from
 * @param {Point[]} points
 */
function goalOf(key, from, points) {
  const at = points.findIndex(({ entry }) => entry.event.revision === from);
  const own = points[at];
  if (!own) return undefined;
  const revision = (/** @type {Point | undefined} */ point) => (point ?? own).entry.event.revision;
  switch (key) {
    case 'Enter':
    case ' ':
      return from;
    case 'ArrowLeft':
      return revision(points[at - 1]);
    case 'ArrowRight':
      return revision(points[at + 1]);
    case 'ArrowUp':
    case 'ArrowDown': {
      const isBeyond = (/** @type {Point} */ point) => (key === 'ArrowUp' ? point.lane < own.lane : point.lane > own.lane);
      const near = points.filter(isBeyond).sort((one, other) => Math.abs(one.lane - own.lane) - Math.abs(other.lane - own.lane) || Math.abs(one.x - own.x) - Math.abs(other.x - own.x));
      return revision(near[0]);
    }
    case 'Home':
      return revision(points[0]);
    case 'End':
      return revision(points.at(-1));
    default:
      return undefined;
  }
}
