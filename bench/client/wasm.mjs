/**
 * What a verdict costs in WebAssembly, by what it costs natively: `node wasm.mjs --native PROGRAM --wasm FILE`. Both judge the same events by the same
 * source, in turns, and neither is left while it does. The figures go to standard output.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

import { print } from './figures.mjs';
import { scaleNamed } from './scale.mjs';

/** Of so many times that all is judged, the least counts: whatever else the machine does only adds. The native side does the same. */
const PASSES = 50;

const text = /** @type {const} */ ({ type: 'string' });
const { native = '', wasm = '', scale = 'full' } = parseArgs({ options: { native: text, wasm: text, scale: text } }).values;

const program = spawn(native, { stdio: ['pipe', 'pipe', 'inherit'] });
const answers = createInterface(program.stdout)[Symbol.asyncIterator]();
const { instance } = await WebAssembly.instantiate(await readFile(wasm), {});
const { prepare, judge } = /** @type {{ prepare: () => number, judge: () => number }} */ (/** @type {unknown} */ (instance.exports));

/** @type {{ native: number, wasm: number }[]} */
const rounds = [];
for (let round = 0; round < scaleNamed(scale).rounds; round += 1) {
  rounds.push({ native: await nativeNs(), wasm: wasmNs() });
}
program.stdin.end();
await once(program, 'exit');
print([
  {
    name: `a verdict, the least of ${PASSES} passes`,
    over: '',
    unit: ' ns',
    must: null,
    goal: { at_most: 60 },
    rounds: { measured: rounds.map(({ native }) => native) },
  },
  { name: 'a verdict in WebAssembly', over: '', unit: ' ns', must: null, goal: null, rounds: { measured: rounds.map(({ wasm }) => wasm) } },
  {
    name: `a verdict in WebAssembly, Node.js ${process.versions.node}`,
    over: 'natively',
    unit: '',
    must: null,
    goal: { at_most: 2 },
    rounds: { measured: rounds.map(({ native, wasm }) => wasm / native) },
  },
]);

/** Nanoseconds for a verdict. The program says beside them how many events it judges, and how many of them moved the state. */
async function nativeNs() {
  program.stdin.write('\n');
  const { value, done } = await answers.next();
  assert.ok(!done, `${native} has ended`);
  const [took = NaN, ...made] = value.split(' ').map(Number);
  assert.deepEqual(made, [prepare(), judge()]); // Else it was not the same work.
  return took;
}

function wasmNs() {
  let [events, least] = [0, Infinity];
  for (let pass = 0; pass < PASSES; pass += 1) {
    events = prepare();
    const started = performance.now();
    judge();
    least = Math.min(least, performance.now() - started);
  }
  return (1e6 * least) / events;
}
