/** Stores: a stream's state, read and kept true. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { control, Log, position, ready, serve } from './log_server.js';
import { watch } from './watch.js';

const sum = { initial: 0, reduce: (total, { data }) => total + data.n };

/** A log whose server sends everything and then what is appended. */
async function following(t, log, { after = log.events.length } = {}) {
  const streams = new Set();
  const server = await serve(t, log, (stream, { after: asked }) => {
    streams.add(stream);
    stream.write(log.frames(asked ?? after).join('') + ready(log.events.length));
  });
  return {
    ...server,
    append: (members) => {
      const { sequence } = log.append(members);
      streams.forEach((stream) => stream.write(log.frames(sequence - 1).join('')));
    },
  };
}

/** Resolves once the store's snapshot is such. */
function until(store, holds) {
  return new Promise((resolve) => {
    const check = () => {
      if (holds(store.getSnapshot())) {
        unsubscribe();
        resolve(store.getSnapshot());
      }
    };
    const unsubscribe = store.subscribe(check);
    check();
  });
}

test('a state is read from the stream’s first event on and then follows', async (t) => {
  const log = new Log();
  [1, 2, 3].forEach(() => log.append());
  log.append({ stream: 'test:two' });
  const { url, append, requests } = await following(t, log);
  const watched = watch(t, { url, after: 'latest', pageEventsMax: 2 });
  const store = watched.client.state('test:one', sum);
  const before = store.getSnapshot();
  assert.deepEqual(before, { status: 'loading', state: 0, revision: 0, version: 0 });
  assert.deepEqual(await until(store, ({ status }) => status === 'current'), { status: 'current', state: 6, revision: 3, version: 0 });
  await watched.status('live');
  append();
  append({ stream: 'test:two' });
  append();
  const now = await until(store, ({ revision }) => revision === 5);
  assert.deepEqual(now, { status: 'current', state: 6 + 5 + 7, revision: 5, version: 0 });
  assert.equal(store.getSnapshot(), now, 'the same until it changes');
  const pages = requests.filter(({ url }) => url.pathname === '/v1/streams/test%3Aone' || url.pathname === '/v1/streams/test:one');
  assert.ok(pages.length >= 2, 'page by page');
});

test('stale events count and move nothing', async (t) => {
  const log = new Log();
  log.append({ version: 2 });
  const { url, append } = await following(t, log);
  const watched = watch(t, { url });
  const store = watched.client.state('test:one', sum);
  await until(store, (snapshot) => snapshot.status === 'current');
  await watched.status('live');
  append({ version: 1 });
  append({ version: 3 });
  assert.deepEqual(await until(store, ({ revision }) => revision === 3), { status: 'current', state: 1 + 3, revision: 3, version: 3 });
  assert.equal(watched.client.stats().stale, 1);
});

test('what was recorded while nobody was told is read', async (t) => {
  const log = new Log();
  log.append();
  let isOpen = false;
  const { url } = await serve(t, log, (stream) => {
    // Between what the store read and where the stream begins.
    if (!isOpen) {
      log.append();
      isOpen = true;
    }
    stream.write(ready(2));
  }, (request, response) => {
    if (isOpen || request.headers.accept !== 'application/json') {
      return false;
    }
    response.end(log.streamPage('test:one', 1, 1));
    return true;
  });
  const { client } = watch(t, { url, after: 'latest' });
  const store = client.state('test:one', sum);
  assert.equal((await until(store, ({ revision }) => revision === 2)).state, 3);
});

test('a reducer that throws loses no event in silence, and nothing else', async (t) => {
  const log = new Log();
  [1, 2, 3].forEach(() => log.append());
  const { url } = await following(t, log);
  const watched = watch(t, { url });
  const store = watched.client.state('test:one', {
    initial: [],
    reduce: (seen, { data }) => {
      if (data.n === 2) {
        throw new Error('not this one');
      }
      return [...seen, data.n];
    },
  });
  const { state, revision } = await until(store, (snapshot) => snapshot.status === 'current');
  assert.deepEqual([state, revision], [[1, 3], 3]);
  const [{ stream, error, text }] = watched.of('unreadable');
  assert.deepEqual([stream, error.message, JSON.parse(text).id], ['test:one', 'not this one', 'event-2']);
});

test('after a reset the state is that of the other log', async (t) => {
  const log = new Log();
  [1, 2].forEach(() => log.append());
  const { url } = await serve(t, log, (stream, { number }) => {
    if (number === 1) {
      stream.write(log.frames().join('') + ready(2), () => stream.destroy());
    } else {
      stream.write(control({ kind: 'reset', reason: 'cursor_ahead' }, { at: 2 }) + ready(2));
    }
  });
  const watched = watch(t, { url });
  const store = watched.client.state('test:one', sum);
  const states = [];
  store.subscribe(() => states.push(store.getSnapshot().status));
  await watched.until(() => watched.of('reset').length === 1);
  assert.deepEqual(await until(store, ({ status }) => status === 'current'), { status: 'current', state: 3, revision: 2, version: 0 });
  assert.ok(states.includes('loading'));
});

test('a stream without events is empty, and one that may not be read says so', async (t) => {
  const answer = (status, code) => (request, response, url) => {
    if (!url.pathname.startsWith('/v1/streams/')) {
      return false;
    }
    response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ status, code }));
    return true;
  };
  const stream = (response) => response.write(ready(0));
  const unknown = await serve(t, new Log(), stream, answer(404, 'unknown_stream'));
  const empty = watch(t, { url: unknown.url }).client.state('test:one', sum);
  assert.deepEqual(await until(empty, ({ status }) => status !== 'loading'), { status: 'current', state: 0, revision: 0, version: 0 });
  const forbidden = await serve(t, new Log(), stream, answer(403, 'forbidden'));
  const refused = watch(t, { url: forbidden.url }).client.state('test:one', sum);
  assert.equal((await until(refused, ({ status }) => status !== 'loading')).error.code, 'forbidden');
});

test('a server that is away for a while is asked again', async (t) => {
  const log = new Log();
  log.append();
  let asked = 0;
  const { url } = await serve(t, log, (stream) => stream.write(ready(1)), (request, response, { pathname }) => {
    if (!pathname.startsWith('/v1/streams/') || (asked += 1) > 2) {
      return false;
    }
    response.writeHead(503).end();
    return true;
  });
  const store = watch(t, { url, after: 'latest' }).client.state('test:one', sum);
  assert.equal((await until(store, ({ status }) => status === 'current')).state, 1);
});

test('a store outside the topics is refused, and one of a client that is over is over', async (t) => {
  const { url } = await serve(t, new Log(), (stream) => stream.write(ready(0)));
  const watched = watch(t, { url, topics: ['test:*:a', 'other:**'] });
  for (const stream of ['test:one', 'test:one:b', 'other', 'test:one:a:b']) {
    assert.throws(() => watched.client.state(stream, sum), /not among the topics/, stream);
  }
  watched.client.state('test:one:a', sum).close();
  watched.client.state('other:x:y', sum);
  watched.client.close();
  await watched.status('closed');
  assert.equal(watched.client.state('other:x', sum).getSnapshot().status, 'loading');
});

test('an append’s position can be waited for', async (t) => {
  const log = new Log();
  log.append();
  const { url, append } = await following(t, log);
  const watched = watch(t, { url });
  await watched.client.caughtUp(position(1));
  assert.deepEqual(watched.sequences(), [1]);
  const reached = watched.client.caughtUp(position(2)).then(() => watched.sequences());
  append();
  assert.deepEqual(await reached, [1, 2], 'told by then');
  const never = assert.rejects(watched.client.caughtUp(position(9)), /closed/);
  const elsewhere = assert.rejects(watched.client.caughtUp(position(1, 'zzzzzzzz')), /closed/);
  watched.client.close();
  await Promise.all([never, elsewhere]);
  await watched.client.caughtUp(position(2));
  assert.throws(() => watched.client.caughtUp('soon'), TypeError);
});
