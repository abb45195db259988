/** Stores: a stream's state, read and kept true. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { MissingError } from 'highwater';
import { control, Log, position, ready, serve } from './log_server.js';
import { until, watch } from './watch.js';

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

test('a state is read from the stream’s first event on and then follows', async (t) => {
  const log = new Log();
  [1, 2, 3].forEach(() => log.append());
  log.append({ stream: 'test:two' });
  const { url, append, requests } = await following(t, log);
  const watched = watch(t, { url, after: 'latest', pageEventsMax: 2 });
  const store = watched.client.state('test:one', sum);
  const before = store.getSnapshot();
  assert.deepEqual(before, { status: 'loading', state: 0, confirmed: 0, intents: [], revision: 0, version: 0 });
  assert.deepEqual(await until(store, ({ status }) => status === 'current'), { status: 'current', state: 6, confirmed: 6, intents: [], revision: 3, version: 0 });
  await watched.status('live');
  append();
  append({ stream: 'test:two' });
  append();
  const now = await until(store, ({ revision }) => revision === 5);
  assert.deepEqual(now, { status: 'current', state: 6 + 5 + 7, confirmed: 6 + 5 + 7, intents: [], revision: 5, version: 0 });
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
  assert.deepEqual(await until(store, ({ revision }) => revision === 3), { status: 'current', state: 1 + 3, confirmed: 1 + 3, intents: [], revision: 3, version: 3 });
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
  assert.deepEqual(await until(store, ({ status }) => status === 'current'), { status: 'current', state: 3, confirmed: 3, intents: [], revision: 2, version: 0 });
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
  assert.deepEqual(await until(empty, ({ status }) => status !== 'loading'), { status: 'current', state: 0, confirmed: 0, intents: [], revision: 0, version: 0 });
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
  await assert.rejects(watched.client.caughtUp('soon'), TypeError);
});

test('to close a store twice ends no other', async (t) => {
  const log = new Log();
  log.append();
  const { url, append } = await following(t, log);
  const watched = watch(t, { url });
  const first = watched.client.state('test:one', sum);
  first.close();
  const second = watched.client.state('test:one', sum);
  first.close();
  await watched.status('live');
  await until(second, ({ status }) => status === 'current');
  append();
  assert.equal((await until(second, ({ revision }) => revision === 2)).state, 3);
});

test('a page that was asked for before the stream began is not the last', async (t) => {
  const log = new Log();
  log.append();
  const early = log.streamPage('test:one', 1, 256);
  let answer;
  const asked = new Promise((resolve) => (answer = resolve));
  const { url } = await serve(t, log, (stream) => {
    log.append();
    stream.write(ready(2));
  }, (_, response, { pathname }) => {
    if (!pathname.startsWith('/v1/streams/') || answer === undefined) {
      return false;
    }
    answer(response);
    answer = undefined;
    return true;
  });
  const watched = watch(t, { url, after: 'latest' });
  const store = watched.client.state('test:one', sum);
  await watched.status('live');
  (await asked).end(early);
  assert.equal((await until(store, ({ revision }) => revision === 2)).state, 3);
});

test('without its beginning there is no state', async (t) => {
  const log = new Log();
  [1, 2, 3].forEach(() => log.append());
  const { url } = await serve(t, log, (stream) => stream.write(ready(3)), (_, response, { pathname }) => {
    if (!pathname.startsWith('/v1/streams/')) {
      return false;
    }
    response.end(log.streamPage('test:one', 3, 256));
    return true;
  });
  const store = watch(t, { url }).client.state('test:one', sum);
  const { state, error } = await until(store, ({ status }) => status === 'failed');
  assert.ok(error instanceof MissingError);
  assert.deepEqual([state, error.stream, error.from, error.to], [0, 'test:one', 1, 2]);
});

test('a fetch that never comes back is given up', async (t) => {
  const log = new Log();
  log.append();
  const { url } = await following(t, log);
  let isStuck = true;
  const stuck = (input, init) => {
    if (!String(input).includes('/v1/streams/') || !isStuck) {
      return fetch(input, init);
    }
    isStuck = false;
    return new Promise(() => {});
  };
  const store = watch(t, { url, after: 'latest', fetch: stuck, connectTimeoutMs: 100 }).client.state('test:one', sum);
  assert.equal((await until(store, ({ status }) => status === 'current')).state, 1);
});

test('a store that was refused asks again only when something has changed', async (t) => {
  const log = new Log();
  log.append();
  let asked = 0;
  const { url, append } = await (async () => {
    const streams = new Set();
    const server = await serve(t, log, (stream) => {
      streams.add(stream);
      stream.write(log.frames().join('') + ready(log.events.length));
    }, (_, response, { pathname }) => {
      if (!pathname.startsWith('/v1/streams/')) {
        return false;
      }
      asked += 1;
      response.writeHead(403, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ status: 403, code: 'forbidden' }));
      return true;
    });
    return { ...server, append: () => streams.forEach((stream) => stream.write(log.frames(log.append().sequence - 1).join(''))) };
  })();
  const watched = watch(t, { url, after: 'latest' });
  const store = watched.client.state('test:one', { initial: 0, reduce: () => 1 });
  await watched.status('live');
  await until(store, ({ status }) => status === 'failed');
  for (let count = 0; count < 20; count += 1) {
    append();
  }
  await watched.until(() => watched.sequences().length >= 20);
  assert.ok(asked <= 3, String(asked));
});

test('a position of a log that was replaced is not waited for', async (t) => {
  const { url } = await serve(t, new Log(), (stream, { number }) => {
    if (number === 1) {
      stream.write(ready(0), () => stream.destroy());
    } else {
      stream.write(control({ kind: 'reset', reason: 'epoch_changed' }, { at: 0, epoch: 'zzzzzzzz' }));
    }
  });
  const { client } = watch(t, { url });
  await assert.rejects(client.caughtUp(position(9)), /was replaced/);
  await client.caughtUp(position(0, 'zzzzzzzz'));
  for (const none of ['soon', '-5', 'a-5-6', 'k3x9q7ma-']) {
    await assert.rejects(client.caughtUp(none), TypeError, none);
  }
});
