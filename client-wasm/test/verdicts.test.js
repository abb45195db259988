/** Each verdict, and each way in which a connection can misbehave, over frames made by hand. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { control, envelope, frame, Log, position, ready, serve } from './log_server.js';
import { total, watch } from './watch.js';

const OTHER_EPOCH = 'zzzzzzzz';

/** A log with these events, one stream unless they say another. */
function logOf(...events) {
  const log = new Log();
  events.forEach((members) => log.append(members));
  return log;
}

/** A client that is live after exactly these frames. */
async function after(t, log, frames, options) {
  const server = await serve(t, log, (stream) => stream.write(frames.join('')));
  const watched = watch(t, { url: server.url, ...options });
  await watched.status('live');
  return { ...watched, watched, server };
}

test('events that come once and in order are applied', async (t) => {
  const log = logOf({}, {}, {});
  const { client, sequences, of } = await after(t, log, [...log.frames(), ready(3)]);
  assert.deepEqual(sequences(), [1, 2, 3]);
  assert.deepEqual(of('event')[1], { event: JSON.parse(log.events[1].text), position: position(2) });
  assert.deepEqual(client.stats(), {
    applied: 3, stale: 0, duplicate: 0, gap: 0, unreadable: 0, discarded: 0, dropped: 0, held: 0,
    reconnects: 0, status: 'live', cursor: position(3),
  });
});

test('an event that comes again is a duplicate', async (t) => {
  const log = logOf({}, {});
  const [first, second] = log.frames();
  const { client, sequences, of } = await after(t, log, [first, second, first, second, ready(2)]);
  assert.deepEqual(sequences(), [1, 2]);
  assert.deepEqual(of('duplicate').map((told) => told.position), [position(1), position(2)]);
  assert.equal(of('duplicate')[0].event.id, 'event-1');
  assert.equal(client.stats().duplicate, 2);
});

test('an event below the version that its stream has reached is stale', async (t) => {
  const log = logOf({ version: 2 }, { version: 1 }, { version: 2 });
  const { sequences, of } = await after(t, log, [...log.frames(), ready(3)]);
  assert.deepEqual(sequences(), [1, 3]);
  assert.deepEqual(of('stale').map(({ event, position }) => [event.version, position]), [[1, position(2)]]);
});

test('what is missing is fetched, and then all is applied in order', async (t) => {
  const log = logOf({}, {}, {}, {});
  const [first, , , fourth] = log.frames();
  const { watched, server } = await after(t, log, [first, fourth, ready(4)]);
  await watched.until(() => watched.of('event').length === 4);
  assert.deepEqual(watched.sequences(), [1, 2, 3, 4]);
  assert.deepEqual(watched.of('gap').map((told) => told.position), [position(4)]);
  const [page] = server.requests.filter(({ headers }) => headers.accept === 'application/json');
  assert.equal(page.url.searchParams.get('after'), position(1));
  assert.deepEqual(page.url.searchParams.getAll('topic'), ['test:**']);
});

test('what is missing is fetched anew after a reconnect, when the event that shows it comes again', async (t) => {
  const log = logOf({}, {}, {});
  let pages = 0;
  // Of what is on its way to this client, only the last event ever arrives.
  const { url } = await serve(
    t,
    log,
    (stream) => stream.write(ready(0) + log.frames()[2]),
    (request, response) => {
      const isRefused = request.headers.accept === 'application/json' && (pages += 1) === 1;
      return isRefused && response.writeHead(503).end() === response;
    },
  );
  const watched = watch(t, { url });
  await watched.until(() => watched.of('event').length === 3);
  assert.deepEqual(watched.sequences(), [1, 2, 3]);
  assert.equal(watched.client.stats().reconnects, 1);
  // The held event came again twice: on the second connection, and in the page.
  assert.deepEqual([watched.of('gap').length, watched.of('duplicate').length], [1, 2]);
});

test('a long gap is fetched page by page', async (t) => {
  const log = logOf(...Array(10).fill({}));
  const watched = await after(t, log, [log.frames()[9], ready(10)], { pageEventsMax: 3 });
  await watched.watched.until(() => watched.of('event').length === 10);
  assert.deepEqual(watched.sequences(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test('events out of order are put into order', async (t) => {
  const log = logOf({}, {}, {});
  const [first, second, third] = log.frames();
  const { watched } = await after(t, log, [first, third, second, ready(3)]);
  await watched.until(() => watched.of('event').length === 3);
  assert.deepEqual(watched.sequences(), [1, 2, 3]);
});

test('a hole in a stream, though nothing is missing in the set, is filled from the stream', async (t) => {
  const log = logOf({}, {}, {});
  const third = frame(3, 1, log.events[2].text);
  const { watched, server } = await after(t, log, [log.frames()[0], third, ready(3)]);
  await watched.until(() => watched.of('event').length === 3);
  assert.deepEqual(watched.sequences(), [1, 2, 3]);
  const [page] = server.requests.filter(({ url }) => url.pathname.startsWith('/v1/streams/'));
  assert.equal(decodeURIComponent(page.url.pathname), '/v1/streams/test:one');
  assert.equal(page.url.searchParams.get('from_revision'), '2');
});

test('revisions that the server has no more are told lost', async (t) => {
  const log = logOf({});
  const kept = { sequence: 5, revision: 4, stream: 'test:one', text: envelope(5, 4) };
  log.streamPage = () => `{"events":[${kept.text}]}`;
  const { watched } = await after(t, log, [log.frames()[0], frame(5, 1, kept.text), ready(5)]);
  await watched.until(() => watched.of('event').length === 2);
  assert.deepEqual(watched.of('lost'), [{ stream: 'test:one', from: 2, to: 3 }]);
  assert.deepEqual(watched.sequences(), [1, 5]);
});

test('data that is no JSON is told unreadable, and it alone', async (t) => {
  const log = logOf({}, { data: '{"n":' }, {}, { data: '1},{"n":2' }, {});
  const { client, sequences, of } = await after(t, log, [...log.frames(), ready(5)]);
  assert.deepEqual(sequences(), [1, 3, 5]);
  assert.deepEqual(
    of('unreadable').map(({ position, stream, text, error }) => [position, stream, text, error.name]),
    [2, 4].map((sequence) => [position(sequence), 'test:one', log.events[sequence - 1].text, 'SyntaxError']),
  );
  const stats = client.stats();
  assert.deepEqual([stats.applied, stats.unreadable, stats.cursor], [3, 2, position(5)]);
});

test('broken texts side by side that make JSON together are told broken each', async (t) => {
  const log = logOf({ data: '[1' }, { data: '2],"more":3' }, {});
  log.events[1].text = `{"subject":"test:one","sequence":"0000000000000002","revision":2,"version":0,"data":2],"more":3}`;
  log.events[0].text = log.events[0].text.slice(0, -1);
  const { of, sequences } = await after(t, log, [...log.frames(), ready(3)]);
  assert.deepEqual(of('unreadable').map(({ text }) => text), log.events.slice(0, 2).map(({ text }) => text));
  assert.deepEqual(sequences(), [3]);
});

test('an event without a header is told unreadable', async (t) => {
  const log = logOf({}, {}, {});
  for (const text of ['not even JSON', '{"id":"x"}', '[]', 'null']) {
    log.events[1].text = text;
    const { client, of } = await after(t, log, [log.frames()[0], frame(2, 1, text), ready(2)]);
    assert.deepEqual(of('unreadable').map((told) => [told.position, told.text]), [[position(2), text]]);
    assert.equal(client.stats().unreadable, 1);
  }
});

test('data without a place is told unreadable, and moves nothing', async (t) => {
  const log = logOf({});
  const frames = [`data: ${log.events[0].text}\n\n`, 'id: here\ndata: hello\n\n', ...log.frames(), ready(1)];
  const { client, of, sequences } = await after(t, log, frames);
  assert.deepEqual(of('unreadable').map(({ position, text }) => [position, text]), [
    [undefined, log.events[0].text],
    [undefined, 'hello'],
  ]);
  assert.deepEqual(sequences(), [1]);
  assert.equal(client.stats().unreadable, 2);
});

test('kinds of frames that a later protocol has are passed over', async (t) => {
  const log = logOf({});
  const frames = ['event: other\ndata: x\n\n', control({ kind: 'compacted' }, { at: 9 }), ...log.frames(), ready(1)];
  const { client, sequences } = await after(t, log, frames);
  assert.deepEqual(sequences(), [1]);
  assert.equal(total(client.stats()), 1);
});

test('a heartbeat moves a quiet cursor, unless it tells of an event that never came', async (t) => {
  const log = logOf({}, {});
  const heartbeat = (at, prev) => control({ kind: 'heartbeat' }, { at, prev });
  const { client } = await after(t, log, [log.frames()[0], heartbeat(7, 1), ready(7)]);
  assert.equal(client.cursor, position(7));

  const other = await after(t, log, [log.frames()[0], ready(1), heartbeat(2, 2)]);
  await other.watched.until(() => other.of('event').length === 2);
  assert.deepEqual(other.sequences(), [1, 2]);
});

test('a reset is told once, however often it comes, and the stream goes on from there', async (t) => {
  const log = logOf({}, {});
  const { url } = await serve(t, log, (stream, { number }) => {
    if (number === 1) {
      stream.end(log.frames().join(''));
      return;
    }
    const reset = control({ kind: 'reset', reason: 'epoch_changed' }, { at: 0, epoch: OTHER_EPOCH });
    const [first, second] = log.events.map(({ sequence, prev, text }) => frame(sequence, prev, text, OTHER_EPOCH));
    const live = control({ kind: 'ready', heartbeat_ms: 15_000 }, { at: 2, epoch: OTHER_EPOCH });
    stream.write(reset + reset + first + reset + second + live);
  });
  const watched = watch(t, { url });
  await watched.status('live');
  const reset = position(0, OTHER_EPOCH);
  assert.deepEqual(watched.of('reset'), [{ reason: 'epoch_changed', position: reset }]);
  const applied = [position(1), position(2), position(1, OTHER_EPOCH), position(2, OTHER_EPOCH)];
  assert.deepEqual(watched.of('event').map((told) => told.position), applied);
  assert.equal(watched.client.cursor, position(2, OTHER_EPOCH));
});

test('events of another log than the one followed end the connection', async (t) => {
  const log = logOf({}, {});
  const { url, requests } = await serve(t, log, (stream, { number }) => {
    const [first, second] = log.frames();
    stream.write(number === 1 ? first + frame(2, 1, log.events[1].text, OTHER_EPOCH) : second + ready(2));
  });
  const watched = watch(t, { url });
  await watched.status('live');
  assert.deepEqual(watched.sequences(), [1, 2]);
  assert.equal(watched.client.stats().discarded, 1);
  assert.equal(requests[1].url.searchParams.get('after'), position(1));
});

test('frames cut anywhere mean the same', async (t) => {
  const log = logOf({ data: '"snowman ☃ 𝄞"' }, { version: 1 }, { version: 0 });
  const bytes = Buffer.from([log.frames()[0], ...log.frames(), ready(3)].join(''));
  const fetch = (length) => async () => {
    let at = 0;
    const body = new ReadableStream({
      pull(stream) {
        if (at < bytes.length) {
          stream.enqueue(new Uint8Array(bytes.subarray(at, (at += length))));
        }
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
  for (const length of [1, 2, 3, 5, 17, 1000]) {
    const watched = watch(t, { url: 'http://nowhere', fetch: fetch(length) });
    await watched.status('live');
    assert.deepEqual(watched.told.map(([kind, { event }]) => event && [kind, event.sequence]).filter(Boolean), [
      ['event', '0000000000000001'],
      ['duplicate', '0000000000000001'],
      ['event', '0000000000000002'],
      ['stale', '0000000000000003'],
    ]);
    assert.equal(watched.of('event')[0].event.data, 'snowman ☃ 𝄞');
    watched.client.close();
  }
});

test('a frame that is too large ends the connection, and memory stays bounded', async (t) => {
  const log = logOf({});
  const { url } = await serve(t, log, (stream, { number }) => {
    stream.write(number === 1 ? log.frames()[0] + `data: ${'x'.repeat(1024 * 1024 + 1)}` : ready(1));
  });
  const watched = watch(t, { url });
  await watched.status('live');
  assert.deepEqual(watched.sequences(), [1]);
  const [{ cause }] = watched.of('status').filter(({ status }) => status === 'backing_off');
  assert.match(cause.message, /protocol/);
});
