/** Intents that are answered before the connection tells which log it is of: what they were answered may be of another. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { append, Log, position, ready, refuse, serve } from './log_server.js';
import { until, watch } from './watch.js';

const list = { initial: [], reduce: (state, { data }) => [...state, data] };

/** What is not sent again is waited for in vain. */
const options = { timeout: 30_000 };

/** A client whose connection says nothing before `begin`. `appends` answers what it sends, for the first, the second … time. */
async function connecting(t, log, appends) {
  const [streams, posts] = [[], []];
  let isSentAgain;
  const sentAgain = new Promise((resolve) => {
    isSentAgain = resolve;
  });
  const server = await serve(
    t,
    log,
    (stream) => streams.push(stream),
    (request, response, url) => {
      if (request.method !== 'POST') {
        return false;
      }
      posts.push(request.headers);
      if (posts.length === 2) {
        isSentAgain(store.getSnapshot());
      }
      void appends(posts.length, request, response, url, ({ sequence }) => streams.at(-1).write(log.frames(sequence - 1)[0]));
      return true;
    },
  );
  const watched = watch(t, { url: server.url, after: 'latest' });
  const store = watched.client.state('test:one', list);
  await until(store, ({ status }) => status === 'current');
  return {
    ...watched,
    store,
    posts,
    /** What showed when it was sent again. */
    sentAgain,
    begin: () => streams.at(-1).write(ready(log.events.length)),
  };
}

const stages = ({ intents }) => intents.map(({ stage }) => stage);

test('what was acknowledged before it is known in which log is confirmed once that is, and recorded once', options, async (t) => {
  const log = new Log();
  const { store, posts, begin } = await connecting(t, log, (_, request, response, url) => append(log, request, response, url));
  const dispatched = store.dispatch({ type: 'test.said.v1', data: 'mine' });
  assert.equal(await dispatched.acknowledged, position(1));
  assert.deepEqual(stages(store.getSnapshot()), ['acknowledged']);
  begin();
  await dispatched.confirmed;
  assert.deepEqual([posts.length, log.events.length], [1, 1]);
  const { state } = await until(store, ({ revision }) => revision === 1);
  assert.deepEqual([state, store.getSnapshot().intents], [['mine'], []]);
});

test('what another log acknowledged before the connection was there is recorded in the one that it follows', options, async (t) => {
  const [replaced, log] = [new Log(), new Log()];
  replaced.epoch = 'zzzzzzzz';
  const { store, begin } = await connecting(t, log, (time, request, response, url, tell) => append(time === 1 ? replaced : log, request, response, url, time === 1 ? undefined : tell));
  const dispatched = store.dispatch({ type: 'test.said.v1', data: 'mine' });
  assert.equal(await dispatched.acknowledged, position(1, replaced.epoch));
  begin();
  await dispatched.confirmed;
  assert.deepEqual(log.events.map(({ id }) => id), [dispatched.id]);
  const { state } = await until(store, ({ intents }) => intents.length === 0);
  assert.deepEqual(state, ['mine']);
});

test('a conflict that was found before it is known in which log is over once that is', options, async (t) => {
  const log = new Log();
  const { store, begin, sentAgain } = await connecting(t, log, (time, request, response, url, tell) => {
    if (time > 1) {
      return append(log, request, response, url, tell);
    }
    request.resume();
    // No state ever comes as far as that log was.
    return refuse(response, 412, { code: 'revision_conflict', revision: 7 });
  });
  const dispatched = store.dispatch({ type: 'test.said.v1', data: 'mine', isConditional: true });
  await until(store, (snapshot) => stages(snapshot)[0] === 'conflicted');
  begin();
  assert.deepEqual(stages(await sentAgain), ['pending'], 'it begins anew');
  await dispatched.confirmed;
  assert.deepEqual(log.events.map(({ id }) => id), [dispatched.id]);
});
