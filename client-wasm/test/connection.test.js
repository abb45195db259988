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
    streams.push({ write: (text) => stream.enqueue(encoder.encode(text)), end: () => stream.close(), signal });
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
  assert.ok(delayMs >= 1000 && delayMs < 1250, String(delayMs));
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

test('what a refused page says is heeded: it is known why, and Retry-After', async (t) => {
  const log = logOf(3);
  const { url } = await serve(
    t,
    log,
    (stream, { after, number }) => stream.write(number === 1 ? log.frames()[2] : log.frames(after).join('') + ready(3)),
    (request, response) => {
      if (request.headers.accept !== 'application/json') {
        return false;
      }
      response.writeHead(429, { 'retry-after': '1', 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ code: 'overloaded', status: 429, detail: 'come back later' }));
      return true;
    },
  );
  const watched = watch(t, { url });
  await watched.status('live');
  const [{ delayMs, cause }] = backoffs(watched);
  assert.ok(delayMs >= 1000 && delayMs < 1250, String(delayMs));
  assert.equal(cause.message, 'what is missing could not be fetched: come back later');
  assert.ok(cause.cause instanceof HighwaterError);
  assert.deepEqual([cause.cause.code, cause.cause.status], ['overloaded', 429]);
});

/** Each of these is at random below what it may be at most. */
function assertDelays(delays, most) {
  assert.equal(delays.length, most.length);
  delays.forEach((delay, at) => assert.ok(delay >= 0 && delay < most[at], `${delays} below ${most}`));
}

test('delays grow, are capped and are all jitter', async (t) => {
  const { url } = await serve(t, logOf(0), () => {}, (_, response) => {
    response.writeHead(500).end();
    return true;
  });
  const watched = watch(t, { url, backoffBaseMs: 2, backoffMaxMs: 16 });
  await watched.status('backing_off', 6);
  assertDelays(backoffs(watched).slice(0, 6).map(({ delayMs }) => delayMs), [2, 4, 8, 16, 16, 16]);
});

test('delays grow also where connections become live and are dropped at once', async (t) => {
  const log = logOf(8);
  const { url } = await serve(t, log, (stream, { after }) => {
    // Each brings something new, too.
    stream.write(log.frames(after)[0] + ready(after + 1), () => stream.destroy());
  });
  const watched = watch(t, { url, backoffBaseMs: 2, backoffMaxMs: 16 });
  await watched.status('backing_off', 6);
  assertDelays(backoffs(watched).slice(0, 6).map(({ delayMs }) => delayMs), [2, 4, 8, 16, 16, 16]);
  assert.deepEqual(watched.sequences().slice(0, 6), [1, 2, 3, 4, 5, 6]);
});

test('a connection that was of use for 5 s makes up for the failures before it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const { fetch, streams } = playing();
  const watched = watch(t, { url: 'http://nowhere', fetch, backoffBaseMs: 1 });
  // Below 1 ms there is only 0: that tells a first failure from a later one, mostly.
  for (const [at, [livedMs, most]] of [[4_999, 1], [4_999, 2], [5_000, 1], [0, 2]].entries()) {
    await watched.status('replaying', at + 1);
    streams[at].write(ready(0));
    await watched.status('live', at + 1);
    t.mock.timers.tick(livedMs);
    streams[at].end();
    await watched.status('backing_off', at + 1);
    assertDelays([backoffs(watched)[at].delayMs], [most]);
    await settled();
    t.mock.timers.tick(most);
  }
});

test('where the device finds a network again, nobody waits any longer, unless the server asked for it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const page = new EventTarget();
  Object.assign(globalThis, {
    addEventListener: page.addEventListener.bind(page),
    removeEventListener: page.removeEventListener.bind(page),
  });
  t.after(() => {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  });
  const { fetch, streams } = playing();
  const watched = watch(t, { url: 'http://nowhere', fetch, backoffBaseMs: 10_000 });
  await watched.status('replaying');
  streams[0].end();
  await watched.status('backing_off');
  await settled();
  page.dispatchEvent(new Event('online'));
  await watched.status('replaying', 2);
  streams[1].write(control({ kind: 'goodbye', retry_ms: 1_000 }));
  await watched.status('backing_off', 2);
  await settled();
  page.dispatchEvent(new Event('online'));
  await settled();
  assert.equal(watched.client.status, 'backing_off');
});

test('silence beyond 2.5 heartbeats ends a live connection', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
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
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const watched = watch(t, { url: 'http://nowhere', connectTimeoutMs: 500, fetch: (_, { signal }) => aborted(signal) });
  await watched.status('connecting');
  await settled();
  t.mock.timers.tick(500); // The stream may be kept back: a page is asked for.
  await settled();
  t.mock.timers.tick(500);
  await watched.status('backing_off');
  assert.match(backoffs(watched)[0].cause.message, /nothing was heard for 500 ms/);
});

test('a page of what is missing may not be silent for ever, though the stream goes on', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const log = logOf(3);
  const pages = [];
  const { fetch: fetchStream, streams } = playing();
  const fetch = (url, init) => {
    if (init.headers.get('accept') !== 'application/json') {
      return fetchStream(url, init);
    }
    const body = new ReadableStream({ start: (page) => pages.push({ page, signal: init.signal }) });
    return Promise.resolve(new Response(body));
  };
  const watched = watch(t, { url: 'http://nowhere', fetch, connectTimeoutMs: 500 });
  const say = async (number, text) => {
    streams[number].write(text);
    await settled();
  };
  await watched.status('replaying');
  await say(0, log.frames()[2]);
  t.mock.timers.tick(400);
  await say(0, ': still here\n\n');
  pages[0].page.enqueue(new TextEncoder().encode('{"events":'));
  await settled();
  t.mock.timers.tick(400);
  await say(0, ': still here\n\n');
  assert.equal(pages[0].signal.aborted, false, 'what comes in pieces is waited for');
  t.mock.timers.tick(100);
  await watched.status('backing_off');
  assert.match(backoffs(watched)[0].cause.message, /nothing was heard for 500 ms/);
  assert.equal(pages[0].signal.aborted, true);
  t.mock.timers.tick(10);
  await watched.status('replaying', 2);
  await say(1, log.frames()[2]);
  pages[1].page.enqueue(new TextEncoder().encode(log.page(0, 10)));
  pages[1].page.close();
  await watched.until(() => watched.of('event').length === 3);
  await settled();
  t.mock.timers.tick(499);
  assert.equal(streams[1].signal.aborted, false, 'a page that is there is waited for no longer');
});

test('what a superseded connection still delivers means nothing', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const log = logOf(3);
  const bytes = (text) => new TextEncoder().encode(text);
  const streams = [];
  const pages = [];
  // This one does not heed the signal.
  const fetch = (_, { headers }) => {
    if (headers.get('accept') === 'application/json') {
      return new Promise((resolve) => pages.push((page) => resolve(new Response(page))));
    }
    const body = new ReadableStream({ start: (stream) => streams.push(stream) });
    return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }));
  };
  const watched = watch(t, { url: 'http://nowhere', fetch, connectTimeoutMs: 500 });
  await watched.status('replaying');
  streams[0].enqueue(bytes(log.frames()[1]));
  await watched.until(() => watched.of('gap').length === 1);
  await settled();
  // It arrives, and is given up before anybody looks at it.
  streams[0].enqueue(bytes(log.frames()[0]));
  t.mock.timers.tick(500); // A page is asked for instead.
  await settled();
  t.mock.timers.tick(500);
  await watched.status('backing_off');
  await settled();
  t.mock.timers.tick(10);
  await watched.status('replaying', 2);
  pages[0](log.page(0, 10));
  await settled();
  assert.deepEqual(watched.sequences(), []);
  streams[1].enqueue(bytes(log.frames().join('') + ready(3)));
  await watched.status('live');
  assert.deepEqual(watched.sequences(), [1, 2, 3]);
});

test('a connect that does not heed the signal is given up, and what it opens too late is cancelled', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
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
  t.mock.timers.tick(500); // A page is asked for instead.
  await settled();
  t.mock.timers.tick(500);
  await watched.status('backing_off');
  assert.match(backoffs(watched)[0].cause.message, /nothing was heard for 500 ms/);
  t.mock.timers.tick(10);
  await watched.status('connecting', 2);
  await settled();
  answer(0);
  answer(1);
  await settled();
  assert.deepEqual(cancelled.sort(), [0, 1]);
  watched.client.close();
  await watched.status('closed');
  answer(2);
  await settled();
  assert.deepEqual(cancelled.sort(), [0, 1, 2]);
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
  assert.throws(() => connect({ ...options, url: 'ws://127.0.0.1' }), /http:\/\//);
  assert.throws(() => connect({ ...options, url: 'http://127.0.0.1/?token=secret' }), /no query/);
  assert.throws(() => connect({ ...options, url: 'http://127.0.0.1/#here' }), /no fragment/);
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
