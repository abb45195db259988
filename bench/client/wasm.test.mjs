/** That verdicts in WebAssembly are measured beside native ones, with numbers too small to mean anything. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** @import { Figure } from './figures.mjs' */

test('a verdict is measured in WebAssembly and natively, and all make the same of the same events', async () => {
  const [root, script] = ['../..', 'wasm.mjs'].map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const built = dirname(process.env['HIGHWATER_BIN'] ?? `${root}/target/debug/highwater`);
  const native = join(built, 'examples/verdicts');
  const wasm = `${root}/client-wasm/pkg/test/verdicts_bg.wasm`;
  const { stdout } = await promisify(execFile)('node', [String(script), '--native', native, '--wasm', wasm, '--scale', 'smoke']);
  /** @type {Figure[]} */
  const figures = stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(figures.map(({ over }) => over), ['', '', 'natively']);
  assert.ok(figures.every(({ rounds }) => rounds.measured.length === 1 && rounds.measured.every((value) => value > 0)), stdout);
});
