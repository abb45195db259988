/** How connections begin, end and begin again. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { connect, HighwaterError } from 'highwater';
import { control, Log, position, ready, serve } from './log_server.js';
import { watch } from './watch.js';

function logOf(count) {
  const log = new Log();
  for (let at = 0; at < count; at += 1) {
    log.append();
  }
  return log;
}

/** The delays and causes of each reconnect. */
function backoffs(watched) {
  return watched.of('status').filter(({ status }) => status === 'backing_off');
}

/** A `fetch` whose event streams the test writes itself. */
function playing() {
  const encoder = new TextEncoder();
  const streams = [];
  const fetch = async (_, { signal }) => {
    let stream;
    const body = new ReadableStream({ start: (controller) => (stream = controller) });
    signal.addEventListener('abort', () => stream.error(signal.reason));
    streams.push({ write: (text) => stream.enqueue(encoder.encode(text)), signal });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  };
  return { fetch, streams };
}

test('statuses are told in their order', async (t) => {
  const log = logOf(1);
  const { url } = await serve(t, log, (stream) => stream.write(log.frames()[0] + ready(1)));
  const watched = watch(t, { url });
  await watched.status('live');
  watched.client.close();
  await watched.status('closed');
  assert.deepEqual(watched.of('status').map(({ status }) => status), ['connecting', 'replaying', 'live', 'closed']);
  assert.equal(watched.client.stats().status, 'closed');
  assert.equal(watched.client.stats().applied, 1);
  assert.equal(watched.client.cursor, position(1));
});

test('a connection that is cut is resumed at the cursor, and nothing is applied twice', async (t) => {
  const log = logOf(6);
  const { url, requests } = await serve(t, log, (stream, { after, number }) => {
    const frames = log.frames(after);
    if (number <= 3) {
      stream.write(frames.slice(0, 2).join(''), () => stream.destroy());
    } else {
      stream.write(frames.join('') + ready(6));
    }
  });
  const watched = watch(t, { url });
  await watched.status('live');
  assert.deepEqual(watched.sequences(), [1, 2, 3, 4, 5, 6]);
  const afters = requests.map((request) => request.url.searchParams.get('after'));
  assert.equal(afters[0], 'earliest');
  assert.ok(afters.slice(1).every((after) => /^k3x9q7ma-\d$/.test(after)), String(afters));
  assert.equal(watched.client.stats().reconnects, requests.length - 1);
});

test('a gap in what was parsed last is not skipped by a reconnect', async (t) => {
  const log = logOf(3);
  const { url, requests } = await serve(
    t,
    log,
    (stream, { after, number }) => stream.write(number === 1 ? log.frames()[0] + log.frames()[2] : log.frames(after).join('') + ready(3)),
    (request, response) => {
      if (request.headers.accept !== 'application/json') {
        return false;
      }
      response.writeHead(503).end();
      return true;
    },
  );
  const watched = watch(t, { url });
  await watched.status('live');
  assert.deepEqual(watched.sequences(), [1, 2, 3]);
  assert.equal(requests.at(-1).url.searchParams.get('after'), position(1));
  assert.equal(watched.of('gap').length, 1);
});

test('goodbye is obeyed: not before retry_ms', async (t) => {
  const { url } = await serve(t, logOf(0), (stream, { number }) => {
    stream.write(number === 1 ? control({ kind: 'goodbye', retry_ms: 40 }) : ready(0));
  });
  const watched = watch(t, { url });
  await watched.status('live');
  const [{ delayMs, cause }] = backoffs(watched);
  assert.ok(delayMs >= 40 && delayMs <= 42, String(delayMs));
  assert.match(cause.message, /goodbye/);
});

test('Retry-After is obeyed', async (t) => {
  let refusals = 0;
  const { url } = await serve(t, logOf(0), (stream) => stream.write(ready(0)), (_, response) => {
    refusals += 1;
    if (refusals > 1) {
      return false;
    }
    response.writeHead(503, { 'retry-after': '1', 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ code: 'overloaded', status: 503, detail: 'come back later' }));
    return true;
  });
  const watched = watch(t, { url });
  await watched.status('live');
  const [{ delayMs, cause }] = backoffs(watched);
  assert.ok(delayMs >= 1000 && delayMs <= 1002, String(delayMs));
  assert.deepEqual([cause.code, cause.status, cause.message], ['overloaded', 503, 'come back later']);
});

test('what the server will never answer is a failure, with its problem', async (t) => {
  const problem = { type: 'about:blank', status: 403, code: 'forbidden', detail: 'this token may not read space:42' };
  const { url, requests } = await serve(t, logOf(0), () => {}, (_, response) => {
    response.writeHead(403, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem));
    return true;
  });
  const client = connect({ url, topics: ['space:42:**'] });
  await assert.rejects(client[Symbol.asyncIterator]().next(), (error) => {
    assert.ok(error instanceof HighwaterError);
    assert.deepEqual(error.problem, problem);
    return error.code === 'forbidden';
  });
  assert.equal(client.status, 'failed');
  assert.equal(requests.length, 1);
  await assert.rejects(client[Symbol.asyncIterator]().next(), HighwaterError);
});

test('408, 425, 429, 5xx and what is no event stream are tried again', async (t) => {
  const statuses = [408, 425, 429, 500, 502, 204];
  const { url } = await serve(t, logOf(0), (stream) => stream.write(ready(0)), (_, response) => {
    if (statuses.length > 0) {
      response.writeHead(statuses.shift()).end();
      return true;
    }
    if (statuses.length === 0 && !statuses.page) {
      statuses.page = true;
      response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Sign in to this network');
      return true;
    }
    return false;
  });
  const watched = watch(t, { url, backoffMaxMs: 2 });
  await watched.status('live');
  assert.deepEqual(backoffs(watched).map(({ cause }) => cause.status), [408, 425, 429, 500, 502, 204, undefined]);
});

test('an error frame ends the connection, for good if it is about the request', async (t) => {
  const problem = (status) => control({ kind: 'error', problem: { status, code: `code_${status}` } });
  const { url } = await serve(t, logOf(0), (stream, { number }) => stream.write(problem(number === 1 ? 503 : 403)));
  const watched = watch(t, { url });
  await watched.status('failed');
  assert.equal(backoffs(watched)[0].cause.code, 'code_503');
  assert.equal(watched.of('status').at(-1).error.code, 'code_403');
});

test('delays grow, are capped and are all jitter', async (t) => {
  t.mock.method(Math, 'random', () => 0.5);
  const { url } = await serve(t, logOf(0), () => {}, (_, response) => {
    response.writeHead(500).end();
    return true;
  });
  const watched = watch(t, { url, backoffBaseMs: 2, backoffMaxMs: 16 });
  await watched.status('backing_off', 6);
  assert.deepEqual(backoffs(watched).slice(0, 6).map(({ delayMs }) => delayMs), [1, 2, 4, 8, 8, 8]);
});

test('silence beyond 2.5 heartbeats ends a live connection', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { fetch, streams } = playing();
  const watched = watch(t, { url: 'http://nowhere', fetch });
  await watched.status('replaying');
  streams[0].write(ready(0, 1000));
  await watched.status('live');
  await settled();
  t.mock.timers.tick(2400);
  streams[0].write(': still here\n\n');
  await settled();
  t.mock.timers.tick(2400);
  assert.equal(streams[0].signal.aborted, false);
  t.mock.timers.tick(100);
  await watched.status('backing_off');
  assert.match(backoffs(watched)[0].cause.message, /nothing was heard for 2500 ms/);
  assert.equal(streams[0].signal.aborted, true);
  t.mock.timers.tick(10);
  await watched.status('replaying', 2);
});

test('a connection that never becomes live is given up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const watched = watch(t, { url: 'http://nowhere', connectTimeoutMs: 500, fetch: (_, { signal }) => aborted(signal) });
  await watched.status('connecting');
  await settled();
  t.mock.timers.tick(500);
  await watched.status('backing_off');
  assert.match(backoffs(watched)[0].cause.message, /nothing was heard for 500 ms/);
});

test('what a superseded connection still delivers means nothing', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const log = logOf(3);
  const encoder = new TextEncoder();
  const streams = [];
  // This one does not heed the signal, and goes on delivering.
  const fetch = async () =>
    new Response(new ReadableStream({ start: (controller) => streams.push(controller) }), {
      headers: { 'content-type': 'text/event-stream' },
    });
  const watched = watch(t, { url: 'http://nowhere', fetch, connectTimeoutMs: 500 });
  await watched.status('replaying');
  const half = log.frames()[0].slice(0, 40);
  streams[0].enqueue(encoder.encode(half));
  await settled();
  t.mock.timers.tick(500);
  await settled();
  assert.throws(() => streams[0].enqueue(encoder.encode(log.frames()[0].slice(40))));
  await watched.status('backing_off');
  t.mock.timers.tick(10);
  await watched.status('replaying', 2);
  streams[1].enqueue(encoder.encode(log.frames().join('') + ready(3)));
  await watched.status('live');
  assert.deepEqual(watched.sequences(), [1, 2, 3]);
});

test('a connect that does not heed the signal is given up, and what it opens too late is cancelled', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const answers = [];
  const cancelled = [];
  const fetch = () => new Promise((resolve) => answers.push(resolve));
  const answer = (number) => {
    const body = new ReadableStream({ cancel: () => cancelled.push(number) });
    answers[number](new Response(body, { headers: { 'content-type': 'text/event-stream' } }));
  };
  const watched = watch(t, { url: 'http://nowhere', fetch, connectTimeoutMs: 500 });
  await watched.status('connecting');
  await settled();
  t.mock.timers.tick(500);
  await watched.status('backing_off');
  assert.match(backoffs(watched)[0].cause.message, /nothing was heard for 500 ms/);
  t.mock.timers.tick(10);
  await watched.status('connecting', 2);
  await settled();
  answer(0);
  await settled();
  assert.deepEqual(cancelled, [0]);
  watched.client.close();
  await watched.status('closed');
  answer(1);
  await settled();
  assert.deepEqual(cancelled, [0, 1]);
  assert.deepEqual(watched.of('status').map(({ status }) => status), ['connecting', 'backing_off', 'connecting', 'closed']);
});

test('headers are sent each time, asked of a function each time', async (t) => {
  let tokens = 0;
  const log = logOf(0);
  const { url, requests } = await serve(t, log, (stream, { number }) => (number === 1 ? stream.end() : stream.write(ready(0))));
  const watched = watch(t, { url, headers: async () => ({ authorization: `Bearer ${(tokens += 1)}` }) });
  await watched.status('live');
  assert.deepEqual(requests.map(({ headers }) => [headers.accept, headers.authorization]), [
    ['text/event-stream', 'Bearer 1'],
    ['text/event-stream', 'Bearer 2'],
  ]);
});

test('the base URL may have a path', async (t) => {
  const { url, requests } = await serve(t, logOf(0), () => {}, (_, response) => {
    response.writeHead(404).end();
    return true;
  });
  const watched = watch(t, { url: `${url}/behind/a/proxy`, topics: ['a:b', 'a:*:c'] });
  await watched.status('failed');
  assert.equal(requests[0].url.pathname, '/behind/a/proxy/v1/events');
  assert.deepEqual(requests[0].url.searchParams.getAll('topic'), ['a:b', 'a:*:c']);
});

test('a signal closes the client', async (t) => {
  const closing = new AbortController();
  const log = logOf(1);
  const { url } = await serve(t, log, (stream) => stream.write(log.frames()[0]));
  const client = connect({ url, topics: ['test:**'], after: 'earliest', signal: closing.signal });
  const received = [];
  for await (const { event } of client) {
    received.push(event.id);
    closing.abort();
  }
  assert.deepEqual(received, ['event-1']);
  assert.equal(client.status, 'closed');
  const stillborn = watch(t, { url, signal: AbortSignal.abort() });
  await stillborn.status('closed');
  assert.equal(stillborn.of('status').length, 1);
});

test('options that cannot be are refused at once', () => {
  const options = { url: 'http://127.0.0.1', topics: ['a:b'] };
  assert.throws(() => connect({ ...options, topics: [] }), TypeError);
  assert.throws(() => connect({ ...options, url: undefined }), /no page/);
  assert.throws(() => connect({ ...options, url: 'not a url' }), TypeError);
  assert.throws(() => connect({ ...options, bufferEventsMax: 0 }), /bufferEventsMax/);
  for (const after of ['', 'now', 'k3x9q7ma', 'k3x9q7ma-', 'k3x9q7ma-x', 'K3X9Q7MA-1', 'k3x9q7ma-9007199254740992']) {
    assert.throws(() => connect({ ...options, after }), /after must be/, after);
  }
});

test('a position is where it starts', async (t) => {
  const log = logOf(4);
  const { url } = await serve(t, log, (stream, { after }) => stream.write(log.frames(after).join('') + ready(4)));
  const watched = watch(t, { url, after: position(2) });
  assert.equal(watched.client.cursor, position(2));
  await watched.status('live');
  assert.deepEqual(watched.sequences(), [3, 4]);
});

/** Rejects when `signal` aborts. */
function aborted(signal) {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

/** All that can happen without a timer or the network has happened. */
function settled() {
  return new Promise((resolve) => setImmediate(resolve));
}
