/** Topics that are added, where a server behaves as a real one seldom does. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { control, Log, position, ready as readyAt, serve } from './log_server.js';
import { watch } from './watch.js';

test('a client that had not begun when a topic was added is told that the log is another one', async (t) => {
  const log = new Log();
  log.append();
  log.append();
  const other = new Log();
  other.epoch = '00000000';
  other.append();
  const { epoch } = other;
  const ready = control({ kind: 'ready', heartbeat_ms: 15_000 }, { at: 1, epoch });
  const reset = control({ kind: 'reset', reason: 'epoch_changed' }, { at: 0, epoch });
  const { url, requests } = await serve(t, log, (stream, { number, isLatest }) => {
    // The first connection never comes to its `ready`; then the log is another one.
    if (number > 1) {
      stream.write(isLatest ? ready : reset + other.frames().join('') + ready);
    }
  });
  const watched = watch(t, { url, topics: ['other:*'], after: 'latest' });
  await watched.status('replaying');
  await assert.rejects(watched.client.add('test:*', { after: 'earliest' }), /the log that k3x9q7ma-2 is of was replaced/);
  await watched.status('live');
  assert.equal(watched.of('reset').length, 1, 'a log that is not its own is not live');
  const streams = requests.filter(({ headers }) => headers.accept !== 'application/json');
  assert.deepEqual(streams.map((request) => request.url.searchParams.get('after')), ['latest', 'latest', position(0)]);
  assert.deepEqual(watched.told.map(([kind]) => kind).filter((kind) => kind !== 'status'), ['event', 'event', 'reset', 'event']);
  assert.equal(watched.client.cursor, position(1, other.epoch));
});

test('what is recorded until a client has begun is told of a topic that is added', async (t) => {
  const log = new Log();
  log.append();
  log.append();
  const { url } = await serve(t, log, (stream, { number }) => {
    if (number > 1) {
      log.append();
      stream.write(readyAt(3));
    }
  });
  // Where the topic is read on before the second connection has begun, that waits for what is read.
  let streams = 0;
  let readOn = Promise.resolve();
  const slow = async (input, init) => {
    const after = new URL(input).searchParams.get('after');
    if (new Headers(init.headers).get('accept') !== 'application/json') {
      streams += 1;
      await new Promise((resolve) => setImmediate(resolve));
      await readOn;
    } else if (after === position(2) && streams > 0) {
      const answer = fetch(input, init).then(async (response) => new Response(await response.text(), response));
      readOn = answer.catch(() => {});
      return answer;
    }
    return fetch(input, init);
  };
  const watched = watch(t, { url, topics: ['other:*'], after: 'latest', fetch: slow });
  await watched.status('replaying');
  await watched.client.add('test:*', { after: 'earliest' });
  await watched.status('live');
  assert.deepEqual(watched.sequences(), [1, 2, 3]);
  assert.equal(watched.client.cursor, position(3));
});
