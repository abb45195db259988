/** Topics that are added, where a server behaves as a real one seldom does. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { control, Log, position, serve } from './log_server.js';
import { watch } from './watch.js';

test('a client that had not begun when a topic was added is told that the log is another one', async (t) => {
  const log = new Log();
  log.append();
  log.append();
  const other = new Log();
  other.epoch = '00000000';
  other.append();
  const { url, requests } = await serve(t, log, (stream, { number }) => {
    // The first connection never comes to its `ready`.
    if (number > 1) {
      const { epoch } = other;
      const reset = control({ kind: 'reset', reason: 'epoch_changed' }, { at: 0, epoch });
      stream.write(reset + other.frames().join('') + control({ kind: 'ready', heartbeat_ms: 15_000 }, { at: 1, epoch }));
    }
  });
  const watched = watch(t, { url, topics: ['other:*'], after: 'latest' });
  await watched.status('replaying');
  await watched.client.add('test:*', { after: 'earliest' });
  await watched.status('live');
  const streams = requests.filter(({ headers }) => headers.accept !== 'application/json');
  assert.deepEqual(streams.map((request) => request.url.searchParams.get('after')), ['latest', position(2)]);
  assert.deepEqual(watched.told.map(([kind]) => kind).filter((kind) => kind !== 'status'), ['event', 'event', 'reset', 'event']);
  assert.equal(watched.client.cursor, position(1, other.epoch));
});
