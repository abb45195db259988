/** What keeps a connection true: tokens, polling where streams are kept back, ends of loops, waking up. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { HighwaterError, LoopError } from 'highwater';
import { control, Log, position, ready, serve } from './log_server.js';
import { watch } from './watch.js';

function logOf(count) {
  const log = new Log();
  for (let at = 0; at < count; at += 1) {
    log.append();
  }
  return log;
}

/** A server's answer to a token that it does not take. */
function unauthorized(response) {
  response.writeHead(401, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ code: 'unauthorized', status: 401, detail: 'the token has ended' }));
  return true;
}

test('a token is asked for at every attempt, and once more where it is refused', async (t) => {
  const log = logOf(3);
  const { url, requests } = await serve(
    t,
    log,
    (stream, { after, number }) => {
      const frames = log.frames(after);
      if (number === 1) {
        stream.write(frames[0], () => stream.destroy());
      } else {
        stream.write(frames.join('') + ready(3));
      }
    },
    (request, response) => request.headers.authorization === 'Bearer token-2' && unauthorized(response),
  );
  let asked = 0;
  const watched = watch(t, { url, token: async () => `token-${(asked += 1)}` });
  await watched.status('live');
  assert.deepEqual(requests.map(({ headers }) => headers.authorization), ['Bearer token-1', 'Bearer token-2', 'Bearer token-3']);
  assert.deepEqual(requests.map(({ url }) => url.searchParams.get('after')), ['earliest', position(1), position(1)]);
  assert.deepEqual(watched.sequences(), [1, 2, 3]);
  assert.equal(watched.of('status').filter(({ status }) => status === 'backing_off').length, 1, 'a refresh does not wait');
});

test('a server that refuses the next token too is believed', async (t) => {
  const { url, requests } = await serve(t, logOf(0), () => {}, (_, response) => unauthorized(response));
  const watched = watch(t, { url, token: () => 'bad' });
  await watched.status('failed');
  const { error } = watched.of('status').at(-1);
  assert.ok(error instanceof HighwaterError);
  assert.equal(error.code, 'unauthorized');
  assert.equal(requests.length, 2);
});

test('what a token’s owner throws ends no client', async (t) => {
  const { url } = await serve(t, logOf(1), (stream) => stream.write(ready(1)));
  let asked = 0;
  const token = async () => {
    asked += 1;
    if (asked === 1) {
      throw new Error('the identity provider is away');
    }
    return 'good';
  };
  const watched = watch(t, { url, token });
  await watched.status('live');
  const [{ cause }] = watched.of('status').filter(({ status }) => status === 'backing_off');
  assert.equal(cause.message, 'the identity provider is away');
});

/** A server behind something that keeps streams back, whose pages come through; a poll is answered when the log grows. */
async function keptBack(t, log) {
  const waiting = [];
  const server = await serve(t, log, () => {}, (request, response, url) => {
    const after = url.searchParams.get('after');
    const isAtEnd = after === position(log.events.length);
    if (request.headers.accept === 'application/json' && isAtEnd && url.searchParams.get('wait') === '25') {
      waiting.push(() => response.end(log.page(Number(after.split('-')[1]), 256)));
      return true;
    }
    return false;
  });
  return { ...server, grow: () => (log.append(), waiting.splice(0).forEach((answer) => answer())), waiting };
}

test('where something keeps the stream back, pages bring the same', async (t) => {
  const log = logOf(3);
  const { url, grow, requests, waiting } = await keptBack(t, log);
  const watched = watch(t, { url, connectTimeoutMs: 200, pageEventsMax: 2 });
  await watched.status('live');
  assert.deepEqual(watched.sequences(), [1, 2, 3]);
  for (const sequences of [[1, 2, 3, 4], [1, 2, 3, 4, 5]]) {
    while (waiting.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    grow();
    await watched.until(() => watched.sequences().length === sequences.length);
    assert.deepEqual(watched.sequences(), sequences);
  }
  const streams = requests.filter(({ headers }) => headers.accept === 'text/event-stream');
  assert.equal(streams.length, 1);
  assert.deepEqual(watched.of('status').map(({ status }) => status), ['connecting', 'replaying', 'connecting', 'replaying', 'live']);
});

test('polling begins at latest with what comes after', async (t) => {
  const log = logOf(3);
  const { url, requests } = await serve(t, log, () => {}, (request, response, url) => {
    if (request.headers.accept === 'application/json' && url.searchParams.get('after') === 'latest') {
      response.end(log.page(3, 256));
      log.append();
      return true;
    }
    return false;
  });
  const watched = watch(t, { url, after: 'latest', connectTimeoutMs: 200 });
  await watched.until(() => watched.sequences().length === 1);
  assert.deepEqual(watched.sequences(), [4]);
  assert.equal(requests.at(-1).url.searchParams.get('after'), position(3));
});

test('a poll whose cursor is of no use is reset as a stream would be', async (t) => {
  const log = logOf(2);
  const { url } = await serve(t, log, () => {}, (request, response, url) => {
    if (request.headers.accept === 'application/json' && url.searchParams.get('after') === 'zzzzzzzz-9') {
      response.writeHead(410, { 'content-type': 'application/problem+json' });
      const problem = { code: 'epoch_changed', status: 410, detail: 'another log', earliest: position(0), head: position(2) };
      response.end(JSON.stringify(problem));
      return true;
    }
    return false;
  });
  const watched = watch(t, { url, after: 'zzzzzzzz-9', connectTimeoutMs: 200 });
  await watched.until(() => watched.sequences().length === 2);
  assert.deepEqual(watched.of('reset'), [{ reason: 'epoch_changed', position: position(0) }]);
  assert.deepEqual(watched.sequences(), [1, 2]);
});

test('connections that only break the protocol end in one error', async (t) => {
  const { url, requests } = await serve(t, logOf(0), (stream) => stream.write(`data: ${'x'.repeat(2 ** 20 + 1)}\n\n`));
  const watched = watch(t, { url, backoffMaxMs: 1 });
  await watched.status('failed');
  const { error } = watched.of('status').at(-1);
  assert.ok(error instanceof LoopError);
  assert.equal(error.code, 'unfit');
  assert.equal(error.cause.message, 'what arrived is not of the protocol');
  assert.equal(requests.length, 10);
});

test('two logs that take turns end in one error', async (t) => {
  const { url } = await serve(t, logOf(0), (stream, { number }) => {
    const epoch = ['aaaaaaaa', 'bbbbbbbb'][number % 2];
    stream.write(control({ kind: 'reset', reason: 'epoch_changed' }, { at: 0, epoch }), () => stream.destroy());
  });
  const watched = watch(t, { url, after: position(3), backoffMaxMs: 1 });
  await watched.status('failed');
  assert.equal(watched.of('status').at(-1).error.code, 'reset_loop');
});

test('a listener that closes the client in the middle of a chunk hears the rest of it, and then no more', async (t) => {
  const log = logOf(3);
  const { url } = await serve(t, log, (stream) => stream.write(log.frames().join('') + ready(3)));
  const watched = watch(t, { url });
  watched.client.on('event', () => watched.client.close());
  await watched.status('closed');
  assert.deepEqual(watched.sequences(), [1, 2, 3]);
  assert.equal(watched.told.at(-1)[0], 'status');
});

test('a client that is closed before it began does nothing', async (t) => {
  const { url, requests } = await serve(t, logOf(0), (stream) => stream.write(ready(0)));
  const watched = watch(t, { url });
  watched.client.close();
  await watched.status('closed');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(watched.told, [['status', { status: 'closed' }]]);
  assert.deepEqual(requests, []);
});

test('a reset whose words are broken is a reset all the same', async (t) => {
  const log = logOf(1);
  const broken = `event: highwater\nprev: 0\ndata: {"kind":"reset","reason":"epoch_changed",}\nid: ${position(0)}\n\n`;
  const { url } = await serve(t, log, (stream) => stream.write(broken + log.frames()[0] + ready(1)));
  const watched = watch(t, { url, after: 'zzzzzzzz-4' });
  await watched.status('live');
  assert.deepEqual(watched.of('reset'), [{ reason: 'epoch_changed', position: position(0) }]);
  assert.deepEqual(watched.sequences(), [1]);
});

test('a server that answers and then refuses the token is not asked in a loop', async (t) => {
  const problem = { code: 'unauthorized', status: 401, detail: 'no' };
  const { url, requests } = await serve(t, logOf(0), (stream) => stream.write(control({ kind: 'error', problem })));
  const watched = watch(t, { url, token: () => 'token' });
  await watched.status('failed');
  assert.equal(requests.length, 2);
});

test('what is missing is fetched only as fast as it is read', async (t) => {
  const log = logOf(200);
  const { url, requests } = await serve(t, log, (stream) => stream.write(log.frames()[199]));
  const watched = watch(t, { url, bufferEventsMax: 4, pageEventsMax: 4 });
  const iterator = watched.client[Symbol.asyncIterator]();
  const read = [];
  while (read.length < 200) {
    read.push(Number((await iterator.next()).value.event.sequence));
    const ahead = watched.sequences().length - read.length;
    assert.ok(ahead <= 4 + 4, `${ahead} wait: more than there is room for, and a page`);
  }
  assert.deepEqual(read, Array.from({ length: 200 }, (_, at) => at + 1));
  assert.ok(requests.length >= 50);
});

test('what breaks in wasm ends the client with an error, and what is known of it stays', async (t) => {
  const log = new Log();
  log.append();
  const { url } = await serve(t, log, (stream) => stream.write(log.frames().join('') + ready(1)));
  const { Instance } = WebAssembly;
  t.mock.method(WebAssembly, 'Instance', function (module) {
    const { exports } = new Instance(module);
    let received = 0;
    const breaks = (...args) => {
      received += 1;
      if (received > 1) {
        throw new WebAssembly.RuntimeError('unreachable');
      }
      return exports.received(...args);
    };
    return { exports: { ...exports, received: breaks } };
  });
  const watched = watch(t, { url, fetch: inPieces });
  await watched.status('failed');
  assert.match(watched.of('status').at(-1).error.message, /unreachable/);
  assert.equal(watched.client.status, 'failed');
});

/** The global `fetch`, whose streams come in two pieces at least. */
async function inPieces(input, init) {
  const response = await fetch(input, init);
  const pieces = new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk.subarray(0, 10));
      controller.enqueue(chunk.subarray(10));
    },
  });
  return new Response(response.body.pipeThrough(pieces), response);
}
