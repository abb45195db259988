/** Figures, as `bench/report` reads them: one JSON object a line. */

import { goals } from './scale.mjs';

/** @typedef {import('./src/index.js').Shape} Shape */
/** @typedef {import('./src/index.js').Measured} Measured */

/**
 * @typedef {object} Cell
 * @property {string} engine
 * @property {Shape} shape
 * @property {Measured} measured
 */

/** @typedef {{ at_least: number } | { at_most: number } | null} Bound */

/**
 * @typedef {object} Figure
 * @property {string} name
 * @property {string} over
 * @property {string} unit
 * @property {Bound} must
 * @property {Bound} goal
 * @property {{ measured: number[] }} rounds  One value a round.
 */

/**
 * How long the clients need for a stream, each by ours; and ours by itself.
 *
 * @param {Cell} cell
 * @returns {Figure[]}
 */
export function figuresOf({ engine, shape, measured: { times } }) {
  const where = `${engine}, ${shape.dataBytes} B, ${shape.droppedPercent} % dropped, chunks of ${shape.chunkEvents}`;
  const goal = goals(shape);
  /**
   * @param {string} name
   * @param {number[]} theirs
   * @param {number} least
   */
  const beside = (name, theirs, least) => ({
    name: `time of ${name}: ${where}`,
    over: 'the npm package',
    unit: '',
    must: { at_least: least },
    goal: { at_least: least },
    rounds: { measured: theirs.map((time, round) => time / /** @type {number} */ (times.highwater[round])) },
  });
  const own = times.highwater.map((time) => (1000 * time) / shape.events);
  return [
    { name: `time of the npm package for an event: ${where}`, over: '', unit: ' µs', must: null, goal: null, rounds: { measured: own } },
    beside('TypeScript', times.typescript, goal.typescript),
    beside('TypeScript with prescan', times.prescan, goal.prescan),
  ];
}

/** @param {readonly Figure[]} figures */
export function print(figures) {
  for (const figure of figures) {
    console.log(JSON.stringify(figure));
  }
}
