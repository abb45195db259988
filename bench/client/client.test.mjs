/** The measuring, with numbers too small to mean anything; and that all clients make the same of the same bytes. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { randomNumbers } from '../../client-wasm/test/random.js';
import { browser, load, node } from './engines.mjs';
import { figuresOf } from './figures.mjs';
import { SCALES, shapes } from './scale.mjs';

/** @import { Measured } from './src/index.js' */

for (const start of [node, browser]) {
  test(`in ${start.name}, every shape is measured, and all clients make the same of it`, async (t) => {
    const engine = await start();
    t.after(engine.close);
    for (const shape of shapes(SCALES.smoke)) {
      const { times, made } = await engine.measure(shape, SCALES.smoke);
      for (const [name, values] of Object.entries(times)) {
        assert.ok(values.length === 1 && values.every((time) => time >= 0), `${name}: ${values}`);
      }
      const { outcome, state } = made.highwater;
      assert.deepEqual(made, { highwater: made.highwater, typescript: made.highwater, prescan: made.highwater });
      const dropped = outcome.stale + outcome.duplicate;
      assert.equal(outcome.applied + dropped, shape.events, JSON.stringify(outcome));
      assert.ok(Math.abs((100 * dropped) / shape.events - shape.droppedPercent) <= 20, JSON.stringify(outcome));
      assert.equal(state.reduce((sum, [, { events }]) => sum + events, 0), outcome.applied);
    }
  });
}

for (let seed = 1; seed <= 20; seed += 1) {
  test(`all make the same of a stream cut anywhere, with all that a stream may have, seed ${seed}`, async () => {
    const { frames, judged } = await load();
    const random = randomNumbers(seed);
    const shape = { dataBytes: 200, droppedPercent: 50, chunkEvents: 1, events: 200 };
    const text = frames(shape).map((frame, at) => varied(frame, at, random)).join('');
    const { highwater, typescript, prescan } = judged(cut(new TextEncoder().encode(text), random));
    assert.deepEqual({ typescript, prescan }, { typescript: highwater, prescan: highwater });
    const { applied, stale, duplicate, gap, unreadable } = highwater.outcome;
    assert.ok(applied > 0 && stale > 0 && duplicate > 0 && gap + unreadable === 0, JSON.stringify(highwater.outcome));
  });
}

test('figures are theirs by ours, and by what they must be', () => {
  const shape = { dataBytes: 200, droppedPercent: 90, chunkEvents: 1, events: 1000 };
  /** @type {Measured} */
  const measured = { times: { highwater: [1, 2, 1], typescript: [3, 5, 4], prescan: [0.9, 4, 0.5] }, made: /** @type {any} */ ({}) };
  const [own, typescript, prescan] = figuresOf({ engine: 'Node.js 20', shape, measured });
  assert.deepEqual(own?.rounds.measured, [1, 2, 1]);
  assert.deepEqual([typescript?.rounds.measured, typescript?.must], [[3, 2.5, 4], { at_least: 3 }]);
  assert.deepEqual([prescan?.rounds.measured, prescan?.must], [[0.9, 2, 0.5], { at_least: 1 }]);
  assert.equal(prescan?.name, 'time of TypeScript with prescan: Node.js 20, 200 B, 90 % dropped, chunks of 1');
});

/**
 * A frame that means the same, but for its hash.
 *
 * @param {string} frame
 * @param {number} at
 * @param {(limit: number) => number} random
 */
function varied(frame, at, random) {
  const before = [': still here\n\n', 'retry: 1000\n\n', 'unknown\n', ''][random(4)];
  const end = ['\n', '\r\n', '\r'][random(3)] ?? '';
  const place = ['', `prev: ${at}\n`, frame.slice(0, frame.indexOf('\n') + 1) + frame.slice(frame.lastIndexOf('id: '), -1)][random(3)];
  const after = at % 10 === 0 ? `event: highwater\ndata: {"kind":"heartbeat"}\n${place}\n` : '';
  return `${before}${frame.replace('"hash":"', '"hash":"ü€😀')}${after}`.replaceAll('\n', end);
}

/**
 * @param {Uint8Array} stream
 * @param {(limit: number) => number} random
 */
function cut(stream, random) {
  const chunks = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 1 + random(900);
    chunks.push(stream.subarray(at, end));
    at = end;
  }
  return chunks;
}
