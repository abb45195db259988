/** The figures as a table in Markdown, and which of them miss their goals. */

import { goals } from './scale.mjs';

/** @typedef {import('./src/index.js').Shape} Shape */
/** @typedef {import('./src/index.js').Measured} Measured */

/**
 * @typedef {object} Cell
 * @property {string} engine
 * @property {Shape} shape
 * @property {Measured} measured
 */

const HEADINGS = ['engine', 'data', 'dropped', 'events a chunk', 'Highwater, µs an event', 'TypeScript ÷ it', 'goal', 'with prescan ÷ it', 'goal', 'verdict'];

/** @param {Cell[]} cells */
export function table(cells) {
  const lines = cells.map((cell) => {
    const { engine, shape } = cell;
    const figures = figuresOf(cell);
    const values = [engine, `${shape.dataBytes} B`, `${shape.droppedPercent} %`, shape.chunkEvents, perEvent(cell).toFixed(2)];
    return [...values, ...figures.flatMap(({ ratios, goal }) => [shown(ratios), `≥ ${goal}`]), verdict(figures)];
  });
  return [HEADINGS, HEADINGS.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |\n`).join('');
}

/**
 * What is below its goal, in words.
 *
 * @param {Cell[]} cells
 */
export function missed(cells) {
  return cells.flatMap((cell) => {
    const { engine, shape } = cell;
    const where = `${engine}, ${shape.dataBytes} B, ${shape.droppedPercent} % dropped, chunks of ${shape.chunkEvents}`;
    return figuresOf(cell).filter(isMissed).map(({ name, ratios, goal }) => `${where}: ${median(ratios).toFixed(2)} of ${goal} beside ${name}`);
  });
}

/**
 * @typedef {object} Figure
 * @property {string} name
 * @property {number[]} ratios  One a round.
 * @property {number} goal
 */

/**
 * @param {Cell} cell
 * @returns {Figure[]}
 */
function figuresOf({ shape, measured: { times } }) {
  const goal = goals(shape);
  /** @param {number[]} theirs */
  const ratios = (theirs) => theirs.map((time, round) => time / /** @type {number} */ (times.highwater[round]));
  return [
    { name: 'TypeScript', ratios: ratios(times.typescript), goal: goal.typescript },
    { name: 'the prescan', ratios: ratios(times.prescan), goal: goal.prescan },
  ];
}

/** @param {Figure} figure */
function isMissed({ ratios, goal }) {
  return !(median(ratios) >= goal);
}

/** @param {Figure[]} figures */
function verdict(figures) {
  return figures.some(isMissed) ? '**missed**' : 'goal met';
}

/** @param {Cell} cell */
function perEvent({ shape, measured }) {
  return (1000 * median(measured.times.highwater)) / shape.events;
}

/** @param {number[]} values */
function shown(values) {
  return `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`;
}

/**
 * The middle one of an odd number of them.
 *
 * @param {number[]} values
 */
export function median(values) {
  return [...values].sort((one, other) => one - other)[values.length >> 1] ?? NaN;
}
