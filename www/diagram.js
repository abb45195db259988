/**
 * Where a stream's events stand in a space–time diagram: a line for each actor, the log's order along it, and an arrow from each
 * event to what it caused. Pure.
 *
 * @import { Entry } from './event-window.js'
 * @import { Clock, Relation } from './clocks.js'
 *
 * @typedef {{ actors: string[], name: string }} Lane
 * @typedef {{ entry: Entry, lane: number, x: number, y: number, clock: Clock }} Point
 * @typedef {{ from: number | null, to: number, path: string }} Arrow  Between revisions; from nowhere where the cause is not drawn.
 */

import { compareClocks, parseClock } from './clocks.js';

export const LANES_MAX = 10;
/** How far apart two events are: so far at least, and so far at most where there are few. */
export const STEP_MIN = 44;
const STEP_MAX = 92;
export const LANE_HEIGHT = 52;
/** Above the first line, where the versions stand. */
export const TOP = 26;
export const RADIUS = 8;
const HEAD = 5;
/** How the task's own actors follow each other; others stand below them. */
const ROLES = ['user', 'generator', 'tester', 'corrector'];

/**
 * @param {readonly Entry[]} entries
 * @param {number} [room]  How wide it may be without being scrolled.
 */
export function layOut(entries, room = 0) {
  const lanes = lanesOf(entries);
  const step = Math.min(STEP_MAX, Math.max(STEP_MIN, Math.floor(room / (entries.length + 0.5))));
  /** @type {Point[]} */
  const points = entries.map((entry, at) => {
    const { source, clock } = entry.event;
    const lane = Math.max(0, lanes.findIndex(({ actors }) => actors.includes(source)));
    return { entry, lane, x: step * (at + 0.75), y: TOP + LANE_HEIGHT * (lane + 0.5), clock: parseClock(clock) };
  });
  const width = Math.max(room, step * (entries.length + 0.5));
  return { lanes, points, arrows: arrowsOf(points), width, height: TOP + LANE_HEIGHT * lanes.length };
}

/**
 * How each event stands to the chosen one, by what their actors had seen: by revision.
 *
 * @param {readonly Point[]} points
 * @param {number | null} chosen  A revision.
 * @returns {Map<number, Relation | 'chosen'>}
 */
export function relationsTo(points, chosen) {
  const own = points.find(({ entry }) => entry.event.revision === chosen);
  if (!own) return new Map();
  return new Map(points.map((point) => {
    const relation = point === own ? /** @type {const} */ ('chosen') : compareClocks(point.clock, own.clock);
    return [point.entry.event.revision, relation];
  }));
}

/** @param {readonly Entry[]} entries */
function lanesOf(entries) {
  const actors = [...new Set(entries.map(({ event }) => event.source))];
  actors.sort((one, other) => rank(one) - rank(other));
  /** @type {Lane[]} */
  const lanes = actors.map((actor) => ({ actors: [actor], name: actor }));
  const others = lanes.splice(lanes.length > LANES_MAX ? LANES_MAX - 1 : LANES_MAX);
  if (others.length > 0) lanes.push({ actors: others.flatMap(({ actors }) => actors), name: `${others.length} others` });
  return lanes;
}

/** @param {string} actor */
function rank(actor) {
  const at = ROLES.findIndex((role) => actor.toLowerCase().includes(role));
  return at < 0 ? ROLES.length : at;
}

/** @param {Point[]} points */
function arrowsOf(points) {
  const byId = new Map(points.map((point) => [point.entry.event.id, point]));
  return points.flatMap((point) => {
    const { causationid, revision } = point.entry.event;
    if (!causationid) return [];
    const cause = byId.get(causationid);
    if (cause === point) return [];
    return [/** @type {Arrow} */ ({ from: cause?.entry.event.revision ?? null, to: revision, path: cause ? between(cause, point) : stub(point) })];
  });
}

/**
 * @param {Point} from
 * @param {Point} to
 */
function between(from, to) {
  if (from.lane === to.lane) {
    const rise = Math.min(LANE_HEIGHT * 0.44, 12 + Math.abs(to.x - from.x) * 0.12);
    const [x0, x1, y] = [from.x + 3, to.x - 3, from.y - RADIUS - 1];
    const middle = (x0 + x1) / 2;
    return `M${round(x0)} ${y}Q${round(middle)} ${round(y - rise * 1.6)} ${round(x1)} ${y}${head(x1, y, x1 - middle, rise * 1.6)}`;
  }
  const [x0, x1] = [from.x + RADIUS, to.x - RADIUS - 2];
  const bend = STEP_MIN * 0.5;
  return `M${round(x0)} ${from.y}C${round(x0 + bend)} ${from.y} ${round(x1 - bend)} ${to.y} ${round(x1)} ${to.y}${head(x1, to.y, 1, 0)}`;
}

/**
 * Of a cause that is not drawn, only the end of its arrow is.
 *
 * @param {Point} to
 */
function stub({ x, y }) {
  const [x1, y1] = [x - RADIUS * 0.7 - 1, y - RADIUS * 0.7 - 1];
  return `M${round(x1 - 10)} ${round(y1 - 10)}L${round(x1)} ${round(y1)}${head(x1, y1, 1, 1)}`;
}

/**
 * An arrow's head at a point, for an arrow that comes there in a direction.
 *
 * @param {number} x
 * @param {number} y
 * @param {number} dx
 * @param {number} dy
 */
function head(x, y, dx, dy) {
  const angle = Math.atan2(dy, dx);
  const [one, other] = [angle + 2.6, angle - 2.6].map((wing) => `${round(x + HEAD * Math.cos(wing))} ${round(y + HEAD * Math.sin(wing))}`);
  return `M${one}L${round(x)} ${round(y)}L${other}`;
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
