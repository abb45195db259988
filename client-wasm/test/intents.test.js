/** Intents: what is dispatched shows at once, is sent in order and recorded once, and is settled. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { HighwaterError } from 'highwater';
import { append, control, Log, position, ready, refuse, serve } from './log_server.js';
import { until, watch } from './watch.js';

const list = {
  initial: [],
  reduce: (state, { data }) => {
    if (state.includes(data)) {
      throw new Error(`${data} is there already`);
    }
    return [...state, data];
  },
};

/** A log, a client that follows it and the store of `test:one`. `appends` may answer an append in its own way. */
async function following(t, { log = new Log(), appends = append, isSilent = () => false, ...options } = {}) {
  const streams = new Set();
  const tell = ({ sequence }) => {
    if (!isSilent()) {
      streams.forEach((stream) => stream.write(log.frames(sequence - 1)[0]));
    }
  };
  const connect = (stream, { after = log.events.length }) => {
    streams.add(stream);
    stream.on('close', () => streams.delete(stream));
    stream.write(log.frames(after).join('') + ready(log.events.length));
  };
  const posts = [];
  const server = await serve(t, log, connect, (request, response, url) => {
    if (request.method !== 'POST') {
      return false;
    }
    posts.push({ url, headers: request.headers });
    void appends(log, request, response, url, tell);
    return true;
  });
  const watched = watch(t, { url: server.url, after: 'latest', ...options });
  const store = watched.client.state('test:one', list);
  const seen = [];
  store.subscribe(() => seen.push(store.getSnapshot()));
  await until(store, ({ status }) => status === 'current');
  await watched.status('live');
  return { ...watched, ...server, store, seen, posts, log, appended: (data) => tell(log.append({ data: JSON.stringify(data) })), cut: () => streams.forEach((stream) => stream.destroy()) };
}

const say = (data, isConditional = false) => ({ type: 'test.said.v1', data, ...(isConditional && { isConditional }) });

test('an intent shows at once, then is acknowledged, then confirmed, and never flickers', async (t) => {
  let isSilent = true;
  const { store, seen, appended, log, client } = await following(t, { isSilent: () => isSilent });
  isSilent = false;
  appended('before');
  await until(store, ({ revision }) => revision === 1);
  isSilent = true;
  const dispatched = store.dispatch(say('mine'));
  const pending = store.getSnapshot();
  assert.deepEqual([pending.state, pending.confirmed], [['before', 'mine'], ['before']]);
  assert.deepEqual(pending.intents, [{ id: dispatched.id, stage: 'pending', intent: say('mine') }]);

  assert.equal(await dispatched.acknowledged, position(2));
  const { state, confirmed, intents } = store.getSnapshot();
  assert.deepEqual([state, confirmed, intents.map(({ stage }) => stage)], [['before', 'mine'], ['before'], ['acknowledged']]);
  assert.equal(log.events[1].id, dispatched.id);

  isSilent = false;
  appended('after');
  await dispatched.confirmed;
  await client.caughtUp(position(3));
  const now = store.getSnapshot();
  assert.deepEqual([now.state, now.confirmed, now.intents], [['before', 'mine', 'after'], ['before', 'mine', 'after'], []]);
  const sinceShown = seen.slice(seen.findIndex(({ state }) => state.includes('mine')));
  assert.ok(sinceShown.every(({ state }) => state.filter((said) => said === 'mine').length === 1), JSON.stringify(seen));
});

test('intents go out one after the other, and a lost answer is asked for again with the same id', async (t) => {
  let failures = 0;
  const { store, log, posts } = await following(t, {
    appends: async (log, request, response, url, tell) => {
      if (failures < 2) {
        failures += 1;
        // Once it is recorded and the answer lost, once the server is overloaded.
        if (failures === 1) {
          const lost = { writeHead() {}, end: () => request.socket.destroy() };
          return append(log, request, lost, url, tell);
        }
        request.resume();
        return refuse(response, 503, { code: 'overloaded' });
      }
      return append(log, request, response, url, tell);
    },
  });
  const all = ['a', 'b', 'c'].map((data) => store.dispatch(say(data)));
  assert.deepEqual(store.getSnapshot().state, ['a', 'b', 'c']);
  await Promise.all(all.map(({ confirmed }) => confirmed));
  assert.deepEqual(store.getSnapshot().confirmed, ['a', 'b', 'c']);
  assert.deepEqual(log.events.map(({ id }) => id), all.map(({ id }) => id));
  assert.ok(posts.length >= 4);
});

test('a refused intent is rolled back, with the reason, and no other', async (t) => {
  const { client, store, log } = await following(t, {
    appends: (log, request, response, url, tell) => {
      if (log.events.length === 1) {
        request.resume();
        log.append({ data: '"later"' });
        return refuse(response, 403, { code: 'forbidden' });
      }
      return append(log, request, response, url, tell);
    },
  });
  const refused = new Promise((resolve) => client.on('refused', resolve));
  const [first, second, third] = ['a', 'b', 'c'].map((data) => store.dispatch(say(data)));
  await assert.rejects(second.acknowledged, (error) => error instanceof HighwaterError && error.code === 'forbidden');
  await assert.rejects(second.confirmed);
  const told = await refused;
  assert.deepEqual([told.id, told.stream, told.intent, told.error.status], [second.id, 'test:one', say('b'), 403]);
  await Promise.all([first.confirmed, third.confirmed]);
  await until(store, ({ confirmed }) => confirmed.length === 3);
  assert.deepEqual([store.getSnapshot().state, log.events.length], [['a', 'later', 'c'], 3]);
});

test('a prediction that throws when it is made is refused, and stops nothing', async (t) => {
  const { client, store, posts } = await following(t);
  const refused = [];
  client.on('refused', (told) => refused.push(told));
  const first = store.dispatch(say('a'));
  const again = store.dispatch(say('a'));
  await assert.rejects(again.confirmed, /a is there already/);
  assert.deepEqual([refused.length, store.getSnapshot().state], [1, ['a']]);
  await first.confirmed;
  await store.dispatch(say('b')).confirmed;
  assert.deepEqual([store.getSnapshot().confirmed, posts.length], [['a', 'b'], 2]);
});

test('a conditional intent is rebased where something else came first, and refused where it fails on top of that', async (t) => {
  let theirs = ['theirs', 'mine too'];
  const { store, log, posts } = await following(t, {
    appends: (log, request, response, url, tell) => {
      // What others do, and this client has not heard of.
      theirs.forEach((data) => log.append({ data: JSON.stringify(data) }));
      theirs = [];
      return append(log, request, response, url, tell);
    },
  });
  const [first, second, third] = [store.dispatch(say('mine', true)), store.dispatch(say('mine too', true)), store.dispatch(say('more', true))];
  assert.deepEqual(store.getSnapshot().state, ['mine', 'mine too', 'more']);
  await first.confirmed;
  await assert.rejects(second.confirmed, /mine too is there already/);
  await third.confirmed;
  assert.deepEqual(store.getSnapshot().confirmed, ['theirs', 'mine too', 'mine', 'more']);
  assert.deepEqual(log.events.slice(2).map(({ id }) => id), [first.id, third.id], 'with the same ids');
  assert.equal(posts[0].headers['if-none-match'], '*');
});

test('what is conditional is refused where something else came first and no state shows that could tell', async (t) => {
  let theirs = ['theirs'];
  const { client, store, log } = await following(t, {
    connectTimeoutMs: 500,
    appends: (log, request, response, url, tell) => {
      theirs.forEach((data) => tell(log.append({ data: JSON.stringify(data) })));
      theirs = [];
      return append(log, request, response, url, tell);
    },
  });
  const refused = [];
  client.on('refused', ({ intent }) => refused.push(intent.data));
  const [first, second, whatever] = [store.dispatch(say('mine', true)), store.dispatch(say('on top of mine', true)), store.dispatch(say('whatever'))];
  store.close();
  for (const { confirmed } of [first, second]) {
    await assert.rejects(confirmed, (error) => error instanceof HighwaterError && error.status === 412 && error.problem.revision === 1);
  }
  await whatever.confirmed;
  // The second expected the revision that theirs has, and was meant for another.
  assert.deepEqual(log.events.map(({ text }) => JSON.parse(text).data), ['theirs', 'whatever']);
  assert.deepEqual(refused, ['on top of mine', 'mine']);
});

test('an event settles its intent before the answer comes', async (t) => {
  const answers = [];
  const { store } = await following(t, {
    appends: (log, request, response, url, tell) => append(log, request, { writeHead: (...head) => response.writeHead(...head), end: (body) => answers.push(() => response.end(body)) }, url, tell),
  });
  const dispatched = store.dispatch(say('mine'));
  await dispatched.confirmed;
  assert.deepEqual([store.getSnapshot().state, store.getSnapshot().intents], [['mine'], []]);
  assert.equal(await dispatched.acknowledged, position(1));
  answers.splice(0).forEach((answer) => answer());
  await store.dispatch(say('next')).confirmed;
});

test('an intent that made no event here is settled by its answer’s position', async (t) => {
  const { store, appended, client } = await following(t, {
    appends: (_, request, response) => {
      request.resume();
      response.writeHead(201, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ position: position(1), events: [] }));
    },
  });
  const dispatched = store.dispatch(say('mine'));
  await dispatched.acknowledged;
  assert.equal(store.getSnapshot().intents[0].stage, 'acknowledged');
  appended('theirs');
  await dispatched.confirmed;
  await client.caughtUp(position(1));
  assert.deepEqual([store.getSnapshot().state, store.getSnapshot().intents], [['theirs'], []]);
});

test('there is room for so many, and the next is refused at once', async (t) => {
  let isDown = true;
  const { store } = await following(t, {
    intentsMax: 2,
    appends: (log, request, response, url, tell) => {
      if (isDown) {
        request.resume();
        return refuse(response, 503, { code: 'overloaded' });
      }
      return append(log, request, response, url, tell);
    },
  });
  const two = ['a', 'b'].map((data) => store.dispatch(say(data)));
  await assert.rejects(store.dispatch(say('c')).confirmed, RangeError);
  assert.deepEqual(store.getSnapshot().state, ['a', 'b']);
  isDown = false;
  await Promise.all(two.map(({ confirmed }) => confirmed));
  await store.dispatch(say('c')).confirmed;
  assert.deepEqual(store.getSnapshot().confirmed, ['a', 'b', 'c']);
});

test('what a connection did not bring any more is brought by the next', async (t) => {
  const { store, log, cut } = await following(t, { isSilent: () => true });
  const dispatched = store.dispatch(say('mine'));
  await dispatched.acknowledged;
  assert.equal(log.events.length, 1);
  cut();
  await dispatched.confirmed;
  assert.deepEqual(store.getSnapshot().confirmed, ['mine']);
});

test('what a user does asks for no page, and leaves the state current', async (t) => {
  const { store, seen, requests } = await following(t);
  await store.dispatch(say('after what is read when a client is live')).confirmed;
  const [asked, shown] = [requests.length, seen.length];
  for (const data of ['a', 'b', 'c']) {
    await store.dispatch(say(data)).acknowledged;
    await store.dispatch(say(`${data} again`, true)).confirmed;
  }
  assert.deepEqual(requests.slice(asked).filter(({ method }) => method !== 'POST'), []);
  assert.deepEqual(seen.slice(shown).filter(({ status }) => status !== 'current'), []);
});

test('an intent is what it was when it was dispatched; what is no JSON is refused, and keeps nothing back', async (t) => {
  const { store } = await following(t);
  const form = { text: 'as it was' };
  const dispatched = store.dispatch(say(form));
  form.text = 'as it is now';
  await assert.rejects(store.dispatch(say(1n)).confirmed, TypeError);
  await dispatched.confirmed;
  assert.deepEqual(store.getSnapshot().confirmed, [{ text: 'as it was' }]);
});

test('an append that is never answered is sent again', async (t) => {
  let isFirst = true;
  const { store, log } = await following(t, {
    connectTimeoutMs: 200,
    appends: (log, request, response, url, tell) => {
      if (isFirst) {
        isFirst = false;
        return request.resume();
      }
      return append(log, request, response, url, tell);
    },
  });
  await store.dispatch(say('mine')).confirmed;
  assert.equal(log.events.length, 1);
});

test('an answer of another log settles nothing until the connection says that the log was replaced', async (t) => {
  const replaced = new Log();
  replaced.epoch = 'zzzzzzzz';
  let stream;
  const log = new Log();
  const answered = [];
  const server = await serve(
    t,
    log,
    (opened) => {
      stream = opened;
      opened.write(ready(0));
    },
    (request, response, url) => {
      if (request.method !== 'POST') {
        return false;
      }
      void append(replaced, request, response, url).then(() => answered.forEach((resolve) => resolve()));
      return true;
    },
  );
  const watched = watch(t, { url: server.url, after: 'latest' });
  const store = watched.client.state('test:one', list);
  await until(store, ({ status }) => status === 'current');
  await watched.status('live');
  const twice = new Promise((resolve) => {
    let times = 0;
    answered.push(() => (times += 1) === 2 && resolve());
  });
  const dispatched = store.dispatch(say('mine'));
  await twice;
  assert.deepEqual(store.getSnapshot().intents.map(({ stage }) => stage), ['pending']);
  log.epoch = replaced.epoch;
  log.events = replaced.events;
  log.revision = (name) => replaced.revision(name);
  stream.write(control({ kind: 'reset', reason: 'epoch_changed' }, { at: 0, epoch: 'zzzzzzzz' }) + replaced.frames().join(''));
  await dispatched.confirmed;
  const now = await until(store, ({ status }) => status === 'current');
  assert.deepEqual([now.state, now.confirmed, now.intents, replaced.events.length], [['mine'], ['mine'], [], 1]);
});

test('a client that is closed says so to who waits', async (t) => {
  const { client, store } = await following(t, { appends: (_, request) => request.resume() });
  const dispatched = store.dispatch(say('mine'));
  client.close();
  await assert.rejects(dispatched.confirmed, /closed/);
  await assert.rejects(store.dispatch(say('more')).confirmed, /closed/);
});
