/**
 * `npm run bench`: how fast the package judges, beside clients in TypeScript alone, in Node.js and in Chromium. The table goes to
 * standard output. Fails where a figure is below its goal. `npm run bench -- --scale quick` is for looking how a change did.
 */

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';

import { browser, node } from './engines.mjs';
import { SCALES, shapes } from './scale.mjs';
import { missed, table } from './table.mjs';

/** @import { Cell } from './table.mjs' */

const { scale: name = 'full' } = parseArgs({ options: { scale: { type: 'string' } } }).values;
const scale = Object.entries(SCALES).find(([known]) => known === name)?.[1];
if (!scale) {
  throw new TypeError(`--scale must be one of ${Object.keys(SCALES).join(', ')}, not ${name}`);
}

/** @type {Cell[]} */
const cells = [];
for (const start of [node, browser]) {
  const engine = await start();
  try {
    for (const shape of shapes(scale)) {
      console.error(`${engine.name}: ${JSON.stringify(shape)}`);
      const measured = await engine.measure(shape, scale);
      for (const made of Object.values(measured.made)) {
        assert.deepEqual(made, measured.made.highwater); // Else it was not the same work.
      }
      cells.push({ engine: engine.name, shape, measured });
    }
  } finally {
    await engine.close();
  }
}
process.stdout.write(table(cells));
const misses = missed(cells);
for (const miss of misses) {
  console.error(`below its goal: ${miss}`);
}
process.exitCode = misses.length > 0 ? 1 : 0;
