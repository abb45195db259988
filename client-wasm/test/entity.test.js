/** Entities: a page folds, decides and predicts by the server's own rules. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { HighwaterError } from 'highwater';
import { domain } from 'highwater/domain';
import { load } from 'highwater/domain/url';
import { CommandServer } from './command_server.js';
import { position } from './log_server.js';
import { until } from './watch.js';

const TASK = 'space:1:tasks:task-abc';
const code = { type: 'generate_code', data: { code: 'x', hash: 'abc' } };
const report = (bug) => ({ type: 'report_bug', data: { bug } });

/** A server, a client of it and the store of the task, which is current. */
async function following(t, options) {
  const server = await CommandServer.start(t, options);
  const client = server.connect({ domain, ...options });
  const store = client.entity('task', TASK);
  await until(store, ({ status }) => status === 'current');
  await server.isLive(client);
  return { server, client, store };
}

test('a domain says which entities there are', () => {
  const task = domain.entities.find(({ name }) => name === 'task');
  assert.deepEqual([task.streams, task.schema], ['space:*:tasks:*', 1]);
  assert.ok(task.types.includes('task.planned.v1'));
});

test('what is no entity, or no stream of it, has no store', async (t) => {
  const { client } = await following(t);
  assert.throws(() => client.entity('elephant', TASK), /no entity elephant/);
  assert.throws(() => client.entity('task', 'space:1:stories:s1'), /no stream of task/);
  assert.throws(() => client.entity('task', 'elsewhere:1:tasks:t'), TypeError);
  const server = await CommandServer.start(t);
  assert.throws(() => server.connect({}).entity('task', TASK), /highwater\/domain/);
});

test('a command shows at once, is recorded by its id, and never flickers', async (t) => {
  const { server, store } = await following(t);
  const seen = [];
  store.subscribe(() => seen.push(store.getSnapshot()));
  const dispatched = store.dispatch(code, { correlationId: 'all-of-it' });
  const { state, confirmed, intents } = store.getSnapshot();
  assert.equal(store.getSnapshot(), store.getSnapshot());
  assert.deepEqual([state.phase, state.code.version, confirmed.phase, intents[0].stage], ['written', 1, 'new', 'pending']);
  assert.equal(await dispatched.acknowledged, position(1));
  await dispatched.confirmed;
  const now = store.getSnapshot();
  assert.deepEqual([now.confirmed.code.code, now.intents, now.revision, now.version], ['x', [], 1, 1]);
  assert.deepEqual([...new Set(seen.map(({ state }) => state.phase))], ['written']);
  const [{ headers, body, url }] = server.commands;
  assert.equal(url, `/v1/commands/task/${encodeURIComponent(TASK)}`);
  assert.equal(headers['idempotency-key'], dispatched.id);
  const { type, source, correlationid } = body;
  assert.deepEqual([type, source.startsWith('device:'), correlationid], ['generate_code', true, 'all-of-it']);
});

test('what moves nothing is counted, and an event of a newer schema is handed on', async (t) => {
  const { server, client, store } = await following(t);
  const told = [];
  client.on('event', ({ event }) => told.push(event.type));
  await store.dispatch(code).confirmed;
  server.record({ type: 'task.bug_report_received.v1', version: 0, data: { bug: 'late' } });
  server.record({ type: 'task.planned.v9', version: 1, data: { graph: {} } });
  const unreadable = new Promise((resolve) => client.on('unreadable', resolve));
  server.record({ type: 'task.planned.v1', version: 1, data: { steps: 7 } });
  assert.match((await unreadable).error.message, /'steps' must be a list/);
  const { setAside, confirmed, revision } = await until(store, ({ revision }) => revision === 4);
  assert.deepEqual([setAside, confirmed.plan, revision], [{ stale: 1, unknown: 1, unreadable: 1 }, [], 4]);
  assert.ok(told.includes('task.planned.v9'));
});

test('what a current state does not allow is refused at once, and not sent', async (t) => {
  const { server, client, store } = await following(t);
  const refused = new Promise((resolve) => client.on('refused', resolve));
  const dispatched = store.dispatch(report('…'));
  await assert.rejects(dispatched.confirmed, (error) => error instanceof HighwaterError && error.code === 'no_code' && error.status === 409);
  assert.deepEqual([(await refused).intent.type, store.getSnapshot().intents], ['report_bug', []]);
  await assert.rejects(store.dispatch({ type: 'fly' }).acknowledged, ({ status }) => status === 400);
  await store.dispatch(code).confirmed;
  assert.deepEqual(server.commands.map(({ body }) => body.type), ['generate_code']);
});

test('a state that is behind leaves the decision to the server', async (t) => {
  const server = await CommandServer.start(t);
  server.record({ type: 'task.code_generated.v1', version: 1, data: { code: 'x' } });
  const store = server.connect({ domain }).entity('task', TASK);
  assert.equal(store.getSnapshot().status, 'loading');
  const dispatched = store.dispatch(report('…'));
  await assert.rejects(store.dispatch({ type: 'fly' }).acknowledged, ({ code }) => code === 'invalid_command');
  await dispatched.confirmed;
  assert.equal(store.getSnapshot().confirmed.pending_bugs[0].report, dispatched.id);
});

test('where something else came first, a command is decided again on top of it', async (t) => {
  const { server, store } = await following(t);
  await store.dispatch(code).confirmed;
  server.hold();
  const dispatched = store.dispatch(report('mine'));
  server.record({ type: 'task.bug_report_received.v1', version: 1, data: { bug: 'theirs' } });
  const rebased = await until(store, ({ revision }) => revision === 2);
  assert.deepEqual(rebased.state.pending_bugs.map(({ bug }) => bug), ['theirs', 'mine']);
  assert.deepEqual(rebased.confirmed.pending_bugs.map(({ bug }) => bug), ['theirs']);
  server.release();
  await dispatched.confirmed;
  assert.deepEqual(store.getSnapshot().confirmed.pending_bugs.map(({ bug }) => bug), ['theirs', 'mine']);
});

test('what the server refuses is rolled back with its reason', async (t) => {
  const { server, client, store } = await following(t);
  await store.dispatch(code).confirmed;
  server.hold();
  const dispatched = store.dispatch({ type: 'start_correction' }, { version: 1 });
  assert.equal(store.getSnapshot().state.phase, 'in_correction');
  const refused = new Promise((resolve) => client.on('refused', resolve));
  server.record({ type: 'task.code_refined.v1', version: 2, data: { code: 'y' } });
  const behind = await until(store, ({ revision }) => revision === 2);
  assert.deepEqual([behind.state.phase, behind.intents.length], ['written', 1], 'it shows no more, and is not settled');
  server.release();
  await assert.rejects(dispatched.confirmed, ({ status, code }) => status === 409 && code === 'stale_version');
  assert.equal((await refused).error.code, 'stale_version');
  assert.deepEqual([store.getSnapshot().state.code.code, store.getSnapshot().intents], ['y', []]);
});

test('a conditional command is meant for the state that shows', async (t) => {
  const { server, store } = await following(t);
  const fine = { type: 'intervene', data: { note: 'fine' } };
  await store.dispatch(fine).confirmed;
  server.isSilent = true;
  server.record({ type: 'task.code_generated.v1', version: 1, data: { code: 'theirs' } });
  const [first, second] = [fine, code].map((command) => store.dispatch(command, { isConditional: true }));
  assert.equal(store.getSnapshot().state.code.code, 'x');
  await first.acknowledged;
  await assert.rejects(second.confirmed, ({ code }) => code === 'code_exists');
  assert.deepEqual(server.commands.map(({ headers }) => headers['if-match']).slice(1, 3), ['"k3x9q7ma.1"', '"k3x9q7ma.2"']);
  const { state } = store.getSnapshot();
  assert.deepEqual([state.interventions, state.code.code], [2, 'theirs']);
});

test('commands wait for a network, in order', async (t) => {
  const { server, store } = await following(t);
  server.isDown = true;
  const all = [code, report('a'), { type: 'intervene', data: { note: 'b' } }].map((command) => store.dispatch(command));
  const { state } = store.getSnapshot();
  assert.deepEqual([state.pending_bugs.length, state.interventions, state.code.version], [1, 1, 1]);
  server.isDown = false;
  await Promise.all(all.map(({ confirmed }) => confirmed));
  assert.deepEqual(server.log.events.map(({ id }) => id), all.map(({ id }) => id));
  assert.deepEqual(store.getSnapshot().state, store.getSnapshot().confirmed);
});

test('an append to a stream that an entity shows is no command, and changes nothing before it is recorded', async (t) => {
  const { server, client, store } = await following(t);
  const raw = client.state(TASK, { initial: 0, reduce: (count) => count + 1 });
  await until(raw, ({ status }) => status === 'current');
  const dispatched = raw.dispatch({ type: 'task.planned.v1', data: { steps: ['a'] } });
  assert.deepEqual([raw.getSnapshot().state, store.getSnapshot().state.plan, store.getSnapshot().intents.length], [1, [], 1]);
  await dispatched.confirmed;
  assert.deepEqual(store.getSnapshot().state.plan, ['a']);
  const command = store.dispatch(code);
  assert.deepEqual([raw.getSnapshot().state, raw.getSnapshot().intents.length], [1, 1]);
  await command.confirmed;
  assert.equal(raw.getSnapshot().state, 2);
  assert.equal(server.commands.length, 1);
});

test('a burst of events is folded without being read', async (t) => {
  const { server, store } = await following(t);
  await store.dispatch(code).confirmed;
  for (let at = 0; at < 2_000; at += 1) {
    server.record({ type: 'task.user_intervened.v1', version: 1, data: { note: '…' } });
  }
  const { confirmed } = await until(store, () => store.getSnapshot().revision === 2_001);
  assert.equal(confirmed.interventions, 2_000);
});

/** A house whose lamps may follow each other, and a client of it. */
async function house(t, topics) {
  const wasm = new URL('../pkg/test/own_entity_bg.wasm', import.meta.url);
  const server = await CommandServer.start(t, { wasm });
  const light = (lamp) => server.record({ stream: `house:1:lamps:${lamp}`, type: 'lamp.turned_on.v1', data: {} });
  ['porch', 'porch', 'hall'].forEach(light);
  server.record({ stream: 'house:1:lamps:hall', type: 'lamp.turned_off.v1', data: {} });
  const client = server.connect({ domain: await load(wasm), topics });
  const hall = client.entity('lamp', 'house:1:lamps:hall');
  await until(hall, ({ status }) => status === 'current');
  await server.isLive(client);
  server.hold();
  return { server, client, hall };
}

test('what a decision depends on is taken from the store that shows it', async (t) => {
  const { server, client, hall } = await house(t, ['house:**']);
  const porch = client.entity('lamp', 'house:1:lamps:porch');
  await until(porch, ({ status }) => status === 'current');
  const dispatched = hall.dispatch({ type: 'follow', data: { lamp: 'porch' } });
  assert.equal(hall.getSnapshot().state.is_on, true);
  server.record({ stream: 'house:1:lamps:porch', type: 'lamp.turned_off.v1', data: {} });
  const { intents } = await until(hall, ({ state }) => !state.is_on);
  assert.equal(intents.length, 1, 'it is decided again on what it depends on');
  server.release();
  await dispatched.confirmed;
});

test('what a decision depends on is read where no store shows it, and predicted then', async (t) => {
  const { server, hall } = await house(t, ['house:**']);
  const dispatched = hall.dispatch({ type: 'follow', data: { lamp: 'porch' } });
  const { state, intents } = hall.getSnapshot();
  assert.deepEqual([state.is_on, intents.length], [false, 1]);
  await until(hall, ({ state }) => state.is_on);
  server.release();
  await dispatched.confirmed;
  assert.equal(hall.getSnapshot().confirmed.is_on, true);
});

test('what depends on what can’t be had shows nothing, and is sent', async (t) => {
  const { server, hall } = await house(t, ['house:1:lamps:hall']);
  const dispatched = hall.dispatch({ type: 'follow', data: { lamp: 'porch' } });
  assert.deepEqual([hall.getSnapshot().state.is_on, hall.getSnapshot().intents.length], [false, 1]);
  server.release();
  await dispatched.confirmed;
  assert.equal(hall.getSnapshot().confirmed.is_on, true);
});

test('a store that is closed gives back what it holds, and still says what it showed last', async (t) => {
  const { client, hall } = await house(t, ['house:**']);
  hall.dispatch({ type: 'follow', data: { lamp: 'porch' } });
  await until(hall, ({ state }) => state.is_on);
  const last = hall.getSnapshot();
  hall.close();
  hall.close();
  assert.equal(hall.getSnapshot(), last);
  const again = client.entity('lamp', 'house:1:lamps:hall');
  await until(again, ({ state }) => state.is_on);
});

test('somebody’s own entities are folded and decided as they were compiled', async (t) => {
  const wasm = new URL('../pkg/test/own_entity_bg.wasm', import.meta.url);
  const own = await load(wasm);
  assert.ok(['lamp', 'task'].every((name) => own.entities.some((entity) => entity.name === name)));
  const server = await CommandServer.start(t, { wasm });
  const store = server.connect({ domain: own, topics: ['house:**'] }).entity('lamp', 'house:1:lamps:hall');
  await until(store, ({ status }) => status === 'current');
  const lit = store.dispatch({ type: 'turn_on' });
  assert.deepEqual(store.getSnapshot().state, { is_on: true, times: 1 });
  await assert.rejects(store.dispatch({ type: 'change_bulb', data: { watts: 7 } }).confirmed, ({ code }) => code === 'is_hot');
  await lit.confirmed;
  assert.deepEqual(store.getSnapshot().confirmed, { is_on: true, times: 1 });
});

test('the file of Highwater’s own entities is the one that stands inline', async () => {
  const loaded = await load();
  assert.deepEqual(loaded.entities, domain.entities);
});
