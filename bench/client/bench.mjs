/**
 * `npm run bench`: how fast the package judges, beside clients in TypeScript alone, in Node.js and in Chromium. The figures go to
 * standard output. `npm run bench -- --scale quick` is for looking how a change did.
 */

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';

import { browser, node } from './engines.mjs';
import { figuresOf, print } from './figures.mjs';
import { scaleNamed, shapes } from './scale.mjs';

const { scale: name = 'full' } = parseArgs({ options: { scale: { type: 'string' } } }).values;
const scale = scaleNamed(name);

for (const start of [node, browser]) {
  const engine = await start();
  try {
    for (const shape of shapes(scale)) {
      console.error(`${engine.name}: ${JSON.stringify(shape)}`);
      const measured = await engine.measure(shape, scale);
      for (const made of Object.values(measured.made)) {
        assert.deepEqual(made, measured.made.highwater); // Else it was not the same work.
      }
      print(figuresOf({ engine: engine.name, shape, measured }));
    }
  } finally {
    await engine.close();
  }
}
