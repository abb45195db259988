/**
 * The same events come to the same state, byte for byte, natively and in WebAssembly. What the program `history` has printed, which
 * `cargo xtask test js` makes, is folded again here.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { domain } from 'highwater/domain';
import { CommandServer } from './command_server.js';
import { DomainModule } from './domain_module.js';
import { until } from './watch.js';

const TASK = 'space:1:tasks:task-abc';
const root = fileURLToPath(new URL('..', import.meta.url));
const lines = readFileSync(new URL('../pkg/test/history.jsonl', import.meta.url), 'utf8').trimEnd().split('\n');
/** The text of each event. */
const events = lines.filter((line) => line.startsWith('{"event":')).map((line) => line.slice('{"event":'.length, -1));
const snapshots = lines.filter((line) => line.startsWith('{"snapshot":')).map((line) => JSON.parse(line).snapshot);

test('a history is long, and has all that can be wrong with it', () => {
  const { set_aside, state } = JSON.parse(snapshots.at(-1));
  assert.ok(events.length >= 12_000 && snapshots.length >= 24);
  assert.ok([...Object.values(set_aside), state.interventions, state.reports_dropped + state.pending_bugs.length].every((count) => count > 0), snapshots.at(-1));
});

test('events as they stand in the log come to the same snapshots', () => {
  const module = new DomainModule();
  const number = module.open('task');
  let waiting = [];
  const found = [];
  for (const line of lines) {
    if (line.startsWith('{"event":')) {
      waiting.push(line.slice('{"event":'.length, -1));
    } else {
      module.apply(number, waiting.splice(0));
      found.push(module.snapshot(number));
    }
  }
  assert.equal(found.length, snapshots.length);
  found.forEach((snapshot, at) => assert.equal(snapshot, snapshots[at]));
  for (const snapshot of snapshots) {
    assert.equal(module.snapshot(module.open('task', snapshot)), snapshot, 'and are gone on from');
  }
});

test('a store comes to the same state, in pages and one by one', async (t) => {
  const server = await CommandServer.start(t);
  const record = (text) => server.record({ text, version: JSON.parse(text).version });
  events.slice(0, 8_000).forEach(record);
  const client = server.connect({ domain, bufferEventsMax: 100_000 });
  const began = performance.now();
  const store = client.entity('task', TASK);
  await until(store, ({ status }) => status === 'current');
  await server.isLive(client);
  events.slice(8_000).forEach(record);
  await until(store, ({ revision }) => revision === events.length);
  t.diagnostic(`${events.length} events in ${Math.round(performance.now() - began)} ms`);
  assert.equal(JSON.stringify(store.getSnapshot().confirmed), JSON.stringify(JSON.parse(server.snapshot(TASK)).state));
});

test('the types of a task are those of all its states', () => {
  const folder = mkdtempSync(join(root, 'pkg/test/types-'));
  try {
    const states = snapshots.map((snapshot) => JSON.stringify(JSON.parse(snapshot).state)).join(',\n');
    const text = `import type { TaskState } from 'highwater/domain';\nexport const states: TaskState[] = [\n${states}\n];\n`;
    writeFileSync(join(folder, 'states.ts'), text);
    const options = ['--strict', '--exactOptionalPropertyTypes', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck'];
    execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options, join(folder, 'states.ts')], { encoding: 'utf8' });
    writeFileSync(join(folder, 'states.ts'), text.replaceAll('"reports_dropped"', '"reports_lost"'));
    assert.throws(() => execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options, join(folder, 'states.ts')]), 'one that is another is none');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
