/** How much is measured, and of what. */

/** @typedef {import('./src/index.js').Shape} Shape */
/** @typedef {{ events: number, passes: number, rounds: number }} Scale */

/** @type {{ readonly [name in 'full' | 'quick' | 'smoke']: Scale }} */
export const SCALES = {
  full: { events: 2_500, passes: 10, rounds: 9 },
  /** To look how a change did. */
  quick: { events: 2_500, passes: 10, rounds: 3 },
  /** Too little to mean anything: that the measuring works. */
  smoke: { events: 200, passes: 1, rounds: 1 },
};

/** @param {string} name */
export function scaleNamed(name) {
  const scale = Object.entries(SCALES).find(([known]) => known === name)?.[1];
  if (!scale) {
    throw new TypeError(`--scale must be one of ${Object.keys(SCALES).join(', ')}, not ${name}`);
  }
  return scale;
}

/**
 * All streams that are measured.
 *
 * @param {Scale} scale
 * @returns {Shape[]}
 */
export function shapes({ events }) {
  return [200, 2000].flatMap((dataBytes) =>
    [0, 50, 90].flatMap((droppedPercent) =>
      [1, 100].map((chunkEvents) => ({ dataBytes, droppedPercent, chunkEvents, events })),
    ),
  );
}

/**
 * What the times of the others, by ours, are to be at least.
 *
 * @param {Shape} shape
 */
export function goals({ droppedPercent, chunkEvents }) {
  const isLargeAndWhole = droppedPercent === 0 && chunkEvents === 100;
  return { typescript: droppedPercent === 90 ? 3 : isLargeAndWhole ? 1.5 : 1, prescan: 1 };
}
