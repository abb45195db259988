/** What components show of a stream, of the client's status, and of what users mean to do. */

import assert from 'node:assert/strict';

import { StrictMode, startTransition, useEffect, useLayoutEffect, useState } from 'react';

import { HighwaterProvider, useClient, useDispatch, useStatus, useStream } from '../../dist/react.js';
import { Boundary, count, flushSync, following, idling, page, refuse, test, withResolvers } from './page.jsx';

function Total({ stream = 'test:one', options = count }) {
  const { status, state } = useStream(stream, options);
  return <p>{`${status} ${state}`}</p>;
}

test('a component shows its stream, and StrictMode reads it once', async (t) => {
  const { client, appended, stores, reads } = await following(t);
  appended(1);
  const { show, text, shows } = page(t, client);
  show(
    <StrictMode>
      <Total />
    </StrictMode>,
  );
  await shows('loading 0');
  await shows('current 1');
  appended(2);
  await shows('current 3');
  assert.equal(text(), 'current 3');
  assert.deepEqual([stores.length, reads()], [1, 1]);
});

test('components share a store by key, or else by reducer', async (t) => {
  const { client, appended, stores } = await following(t);
  appended(4);
  const negative = { initial: 0, reduce: (total, { data }) => total - data };
  const { show, shows } = page(t, client);
  show(
    <>
      <Total />
      <Total options={{ ...count, initial: 0 }} />
      <Total options={negative} />
      <Total options={{ ...negative, key: 'mine' }} />
      <Total options={{ ...count, key: 'mine' }} />
    </>,
  );
  await shows(['current 4', 'current 4', 'current -4', 'current -4', 'current -4'].join(''));
  assert.equal(stores.length, 3);
});

test('a reducer that is written inline is that of the first render', async (t) => {
  const { client, appended, stores } = await following(t);
  const { show, shows } = page(t, client);
  const Inline = ({ word }) => {
    const { state } = useStream('test:one', { initial: '', reduce: (text, { data }) => `${text}${word}${data}` });
    return `${word}: ${state}`;
  };
  appended(1);
  show(<Inline word="a" />);
  await shows('a: a1');
  show(<Inline word="b" />);
  await shows('b: a1');
  appended(2);
  await shows('b: a1a2');
  assert.equal(stores.length, 1);
});

test('another stream is shown from the render on that names it', async (t) => {
  const { client, appended } = await following(t);
  appended(1);
  appended(2, 'test:two');
  const { show, shows, text } = page(t, client);
  const states = [];
  const Spied = ({ stream }) => {
    const snapshot = useStream(stream, count);
    states.push([stream, snapshot.state]);
    return snapshot.status;
  };
  show(<Spied stream="test:one" />);
  await shows('current');
  show(<Spied stream="test:two" />);
  await shows('loading');
  await shows('current');
  assert.equal(text(), 'current');
  assert.ok(!states.some(([stream, state]) => stream === 'test:two' && state === 1), JSON.stringify(states));
});

/** What most people write first. */
function useNaively(store) {
  const [snapshot, set] = useState(store.getSnapshot);
  useEffect(() => store.subscribe(() => set(store.getSnapshot())), [store]);
  return snapshot;
}

for (const [name, isTorn] of [['useState', true], ['useStream', false]]) {
  test(`what comes while React renders in pieces ${isTorn ? 'tears' : 'does not tear'} with ${name}`, async (t) => {
    const { client, stores } = await following(t);
    const { show, shows, container } = page(t, client);
    show(<Total />);
    await shows('current 0');
    const [{ store }] = stores;
    // What is mounted would have React begin anew.
    show(null);
    await shows('');
    let isFirst = true;
    const commits = [];
    /** Slow: React lets other things happen after each. */
    const Slow = () => {
      const { state } = name === 'useStream' ? useStream('test:one', count) : useNaively(store);
      if (isFirst) {
        setImmediate(() => store.dispatch({ type: 'test.happened.v1', data: 1 }));
        isFirst = false;
      }
      for (const until = performance.now() + 12; performance.now() < until; );
      return <b>{state}</b>;
    };
    const Slows = () => {
      useLayoutEffect(() => void commits.push([...container.querySelectorAll('b')].map(({ textContent }) => textContent).join('')));
      return [1, 2, 3, 4].map((key) => <Slow key={key} />);
    };
    const { promise, resolve } = withResolvers();
    const Committed = () => useEffect(resolve, []);
    startTransition(() =>
      show(
        <>
          <Slows />
          <Committed />
        </>,
      ),
    );
    await promise;
    assert.equal(commits.length, 1);
    if (isTorn) {
      assert.match(commits[0], /^0+1+$/);
    } else {
      assert.equal(commits[0], '1111');
    }
  });
}

function Intents({ stream = 'test:one' }) {
  const { state, confirmed, intents } = useStream(stream, count);
  return `${state} ${confirmed} ${intents.map(({ stage }) => stage).join()}`;
}

test('what is dispatched shows at once, and is rolled back where it is refused', async (t) => {
  const { promise: refused, resolve: refuseIt } = withResolvers();
  const answer = (request, response) => {
    if (request.method !== 'POST') {
      return false;
    }
    void refused.then(() => refuse(response, 403, { code: 'forbidden' }));
    return true;
  };
  const { client } = await following(t, { answer });
  const { show, shows } = page(t, client);
  const dispatches = new Set();
  let dispatch;
  const Button = ({ label }) => {
    dispatch = useDispatch('test:one');
    dispatches.add(dispatch);
    return label;
  };
  show(
    <>
      <Intents />
      <Button label="" />
    </>,
  );
  await shows('0 0 ');
  dispatch({ type: 'test.happened.v1', data: 5 });
  await shows('5 0 pending');
  show(
    <>
      <Intents />
      <Button label="!" />
    </>,
  );
  await shows('5 0 pending!');
  refuseIt();
  await shows('0 0 !');
  assert.equal(dispatches.size, 1);
});

test('a snapshot can be dispatched to, and what was confirmed stays', async (t) => {
  const { client } = await following(t);
  const { show, shows } = page(t, client);
  let dispatch;
  const Button = () => {
    ({ dispatch } = useStream('test:one', count));
    return null;
  };
  show(
    <>
      <Intents />
      <Button />
    </>,
  );
  await shows('0 0 ');
  await dispatch({ type: 'test.happened.v1', data: 5 }).confirmed;
  await shows('5 5 ');
});

test('a stream that no component shows is dispatched to, and is not read', async (t) => {
  const { client, reads, stores, log } = await following(t);
  let dispatch;
  const { show, shows } = page(t, client);
  const Form = () => {
    dispatch = useDispatch('test:one');
    return 'form';
  };
  show(<Form />);
  await shows('form');
  await dispatch({ type: 'test.happened.v1', data: 5 }).confirmed;
  assert.equal(log.events.length, 1);
  assert.deepEqual([reads(), stores.every(({ isClosed }) => isClosed)], [1, true]);
  assert.throws(() => dispatch({ type: 'test.happened.v1', isConditional: true }), /no component shows test:one/);
});

test('a store is closed once no component has used it for a while', async (t) => {
  const { client, stores } = await following(t);
  const { show, shows } = page(t, client);
  const closed = () => stores.map(({ isClosed }) => isClosed);
  const idle = idling(t);
  show(<Total />);
  await shows('current 0');
  flushSync(() => show(null));
  flushSync(() => show(<Total />));
  idle();
  assert.deepEqual(closed(), [false]);
  flushSync(() => show(null));
  assert.deepEqual(closed(), [false]);
  idle();
  assert.deepEqual(closed(), [true]);
  show(<Total />);
  await shows('current 0');
  assert.deepEqual(closed(), [true, false]);
});

test('what unmounts and mounts in one task shares its store', async (t) => {
  const { client, stores } = await following(t);
  const { show, shows } = page(t, client);
  show(<Total key="1" />);
  await shows('current 0');
  const { show: showAgain, shows: showsAgain } = page(t, client);
  flushSync(() => show(null));
  flushSync(() => showAgain(<Total key="2" />));
  await showsAgain('current 0');
  assert.deepEqual(stores.map(({ isClosed }) => isClosed), [false]);
});

test('the status shows, with what it tells', async (t) => {
  let isRefused = false;
  const answer = (request, response) => isRefused && (refuse(response, 403, { code: 'forbidden' }), true);
  const { client, connections } = await following(t, { answer });
  const { show, shows } = page(t, client);
  const Status = () => {
    const change = useStatus();
    return `${change.status} ${change.error?.code ?? ''}${useClient() === client}`;
  };
  show(<Status />);
  await shows('live true');
  isRefused = true;
  connections.forEach((stream) => stream.destroy());
  await shows('failed forbiddentrue');
  const { show: showLater, shows: showsLater } = page(t, client);
  showLater(<Status />);
  await showsLater('failed forbiddentrue');
});

test('a client that is given comes before the provider’s', async (t) => {
  const one = await following(t);
  const other = await following(t);
  one.appended(1);
  other.appended(2);
  const { show, shows } = page(t, one.client);
  const Both = () => `${useStream('test:one', count).state} ${useStream('test:one', { ...count, client: other.client }).state}`;
  show(<Both />);
  await shows('1 2');
  show(
    <HighwaterProvider client={other.client}>
      <Both />
    </HighwaterProvider>,
  );
  await shows('2 2');
});

test('a stream that is not among the topics, or no client, is an error', async (t, expected) => {
  expected.push('not among the topics', 'no Highwater client', 'The above error occurred in the <Total> component');
  const { client } = await following(t);
  const { show, shows } = page(t, client);
  show(
    <Boundary>
      <Total stream="other:one" />
    </Boundary>,
  );
  await shows('TypeError: other:one is not among the topics of this client');
  const without = page(t, undefined);
  without.show(
    <Boundary>
      <Total />
    </Boundary>,
  );
  await without.shows('Error: there is no Highwater client: render <HighwaterProvider client={…}> above, or give the hook one');
});
