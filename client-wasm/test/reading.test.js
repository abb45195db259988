/** Listeners and iterators: who is told what, and what the slow and the broken do to the rest. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { connect } from 'highwater';
import { control, envelope, frame, Log, position, ready, serve } from './log_server.js';
import { watch } from './watch.js';

const EVENTS = 500;

function logOf(count) {
  const log = new Log();
  for (let at = 0; at < count; at += 1) {
    log.append({ data: JSON.stringify('x'.repeat(1000)) });
  }
  return log;
}

/** A `fetch` whose stream gives one event each time it is pulled, and counts them. */
function pulled(log) {
  const encoder = new TextEncoder();
  const frames = log.frames();
  const state = { pulls: 0 };
  state.fetch = async () => {
    const body = new ReadableStream(
      {
        pull(stream) {
          if (state.pulls < frames.length) {
            stream.enqueue(encoder.encode(frames[state.pulls]));
            state.pulls += 1;
          } else {
            stream.enqueue(encoder.encode(ready(frames.length)));
            return new Promise(() => {});
          }
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
  return state;
}

test('an iterator gives each applied event once, in order', async (t) => {
  const log = logOf(EVENTS);
  const { url } = await serve(t, log, (stream) => stream.write(log.frames().join('') + ready(EVENTS)));
  const client = connect({ url, topics: ['test:**'], after: 'earliest' });
  const positions = [];
  for await (const message of client) {
    positions.push(message.position);
    if (positions.length === EVENTS) {
      client.close();
    }
  }
  assert.deepEqual(positions, Array.from({ length: EVENTS }, (_, at) => position(at + 1)));
});

test('a chunk of megabytes is judged whole, and leaves no memory of its size behind', async (t) => {
  const { Instance } = WebAssembly;
  t.after(() => {
    WebAssembly.Instance = Instance;
  });
  const memories = [];
  WebAssembly.Instance = class extends Instance {
    constructor(...args) {
      super(...args);
      memories.push(this.exports.memory);
    }
  };
  const log = logOf(5000);
  const chunk = new TextEncoder().encode(log.frames().join('') + ready(5000));
  const body = new ReadableStream({ start: (stream) => stream.enqueue(chunk) });
  const answer = new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  const watched = watch(t, { url: 'http://nowhere', fetch: async () => answer });
  await watched.status('live');
  assert.deepEqual(watched.sequences(), log.events.map(({ sequence }) => sequence));
  assert.equal(memories.length, 1);
  assert.ok(chunk.byteLength > 5_000_000 && memories[0].buffer.byteLength < 2_500_000, `${memories[0].buffer.byteLength}`);
});

test('a slow iterator stops the reading and loses nothing', async (t) => {
  const source = pulled(logOf(EVENTS));
  const client = connect({ url: 'http://nowhere', topics: ['test:**'], after: 'earliest', bufferEventsMax: 10, fetch: source.fetch });
  t.after(() => client.close());
  const iterator = client[Symbol.asyncIterator]();
  const taken = [await iterator.next()];
  while (taken.length < EVENTS) {
    await settled();
    assert.ok(source.pulls <= taken.length + 11, `${source.pulls} read, ${taken.length} taken`);
    taken.push(await iterator.next());
  }
  assert.deepEqual(taken.map(({ value }) => Number(value.event.sequence)), Array.from({ length: EVENTS }, (_, at) => at + 1));
});

test('while a slow iterator is waited for, silence is no reason to reconnect', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const source = pulled(logOf(5));
  const watched = watch(t, { url: 'http://nowhere', bufferEventsMax: 2, connectTimeoutMs: 100, fetch: source.fetch });
  const iterator = watched.client[Symbol.asyncIterator]();
  await watched.until(() => watched.of('event').length === 2);
  await settled();
  t.mock.timers.tick(10_000);
  assert.equal(watched.client.status, 'replaying');
  for (let at = 0; at < 5; at += 1) {
    await iterator.next();
  }
  await watched.status('live');
});

test('an iterator that returns holds nothing up any more', async (t) => {
  const source = pulled(logOf(20));
  const watched = watch(t, { url: 'http://nowhere', bufferEventsMax: 2, fetch: source.fetch });
  const lazy = watched.client[Symbol.asyncIterator]();
  await watched.until(() => watched.of('event').length === 2);
  await lazy.return();
  assert.deepEqual(await lazy.next(), { done: true, value: undefined });
  await watched.status('live');
  assert.equal(watched.sequences().length, 20);
});

test('two iterators each get everything, at the pace of the slower', async (t) => {
  const source = pulled(logOf(30));
  const client = connect({ url: 'http://nowhere', topics: ['test:**'], after: 'earliest', bufferEventsMax: 3, fetch: source.fetch });
  const read = async () => {
    const sequences = [];
    for await (const { event } of client) {
      sequences.push(Number(event.sequence));
      if (sequences.length === 30) {
        break;
      }
    }
    return sequences;
  };
  const [one, other] = await Promise.all([read(), read()]);
  client.close();
  assert.equal(one.length, 30);
  assert.deepEqual(one, other);
});

test('what is buffered can be read after the end', async (t) => {
  const log = logOf(3);
  const { url } = await serve(t, log, (stream) => stream.write(log.frames().join('') + ready(3)));
  const watched = watch(t, { url });
  const iterator = watched.client[Symbol.asyncIterator]();
  await watched.status('live');
  watched.client.close();
  await watched.status('closed');
  const read = [];
  for await (const { event } of iterator) {
    read.push(Number(event.sequence));
  }
  assert.deepEqual(read, [1, 2, 3]);
});

test('an iterator is given what is unreadable and what is lost, in its place', async (t) => {
  const log = new Log();
  log.append();
  log.append({ data: '{"n":' });
  log.append();
  const kept = envelope(7, 6);
  log.streamPage = () => `{"events":[${kept}]}`;
  const { url } = await serve(t, log, (stream) => stream.write(log.frames().join('') + frame(7, 3, kept)));
  const client = connect({ url, topics: ['test:**'], after: 'earliest' });
  t.after(() => client.close());
  const given = [];
  for await (const { kind, position, from, to } of client) {
    given.push([kind, position ?? [from, to]]);
    if (given.length === 5) {
      break;
    }
  }
  assert.deepEqual(given, [
    ['event', position(1)],
    ['unreadable', position(2)],
    ['event', position(3)],
    ['lost', [4, 5]],
    ['event', position(7)],
  ]);
});

test('after a reset nothing of the old log is given, to iterators nor to listeners', async (t) => {
  const other = 'zzzzzzzz';
  const log = logOf(3);
  const { url } = await serve(t, log, (stream, { number }) => {
    if (number === 1) {
      stream.write(log.frames().join('') + ready(3), () => stream.destroy());
    } else {
      const reset = control({ kind: 'reset', reason: 'epoch_changed' }, { at: 0, epoch: other });
      stream.write(reset + frame(1, 0, envelope(1, 1), other) + control({ kind: 'ready' }, { at: 1, epoch: other }));
    }
  });
  const watched = watch(t, { url, backoffMaxMs: 1 });
  const order = [];
  watched.client.on('reset', ({ position }) => order.push(`reset to ${position}`));
  const iterator = watched.client[Symbol.asyncIterator]();
  const take = async () => {
    const { value } = await iterator.next();
    order.push(`${value.kind} ${value.position}`);
  };
  await take();
  await watched.status('live', 2);
  await take();
  await take();
  assert.deepEqual(order, [
    `event ${position(1)}`,
    `reset to ${position(0, other)}`,
    `reset ${position(0, other)}`,
    `event ${position(1, other)}`,
  ]);
});

test('what cannot be listened for is refused', async (t) => {
  const client = connect({ url: 'http://nowhere', topics: ['a:b'], fetch: () => new Promise(() => {}) });
  t.after(() => client.close());
  for (const name of ['evnt', 'toString', '', undefined]) {
    assert.throws(() => client.on(name, () => {}), { name: 'TypeError', message: /to listen for, only event, stale/ });
  }
});

test('a listener that throws stops nothing, and its error is not lost', async (t) => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  t.after(() => delete globalThis.reportError);
  const log = logOf(3);
  const { url } = await serve(t, log, (stream) => stream.write(log.frames().join('') + ready(3)));
  const watched = watch(t, { url });
  watched.client.on('event', ({ event }) => {
    throw new Error(`no ${event.id}`);
  });
  const told = [];
  watched.client.on('event', ({ event }) => told.push(event.id));
  await watched.status('live');
  assert.deepEqual(told, ['event-1', 'event-2', 'event-3']);
  assert.deepEqual(reported, ['no event-1', 'no event-2', 'no event-3']);
});

test('a listener may do anything, even close, and is told what was already judged', async (t) => {
  const log = logOf(3);
  const frames = log.frames();
  const { url } = await serve(t, log, (stream) => stream.write([frames[0], frames[0], frames[1], frames[2]].join('')));
  const client = connect({ url, topics: ['test:**'], after: 'earliest' });
  const told = [];
  let stop = () => {};
  client.on('event', ({ event }) => {
    told.push(Number(event.sequence));
    stop = client.on('duplicate', ({ event }) => told.push(-Number(event.sequence)));
    client.stats();
    client.close();
  });
  await new Promise((resolve) => client.on('status', ({ status }) => status === 'closed' && resolve()));
  stop();
  assert.deepEqual(told, [1, 2, 3]);
  assert.equal(client.cursor, position(3), 'so that a later client misses nothing');
  assert.equal(client.stats().duplicate, 1);
});

test('who stops listening is told no more', async (t) => {
  const source = pulled(logOf(10));
  const watched = watch(t, { url: 'http://nowhere', fetch: source.fetch });
  const told = [];
  const stop = watched.client.on('event', ({ event }) => {
    told.push(event.id);
    if (told.length === 2) {
      stop();
    }
  });
  await watched.status('live');
  assert.deepEqual(told, ['event-1', 'event-2']);
});

/** All that can happen without a timer or the network has happened. */
function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
