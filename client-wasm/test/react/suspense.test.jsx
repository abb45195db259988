/** What shows while a stream is read, and where that can't be. */

import assert from 'node:assert/strict';

import { StrictMode, Suspense, startTransition } from 'react';

import { useSuspenseStream } from '../../dist/react.js';
import { control, ready } from '../log_server.js';
import { Boundary, count, flushSync, following, idling, Log, page, refuse, test } from './page.jsx';

function Total({ stream = 'test:one', options = count, told = {} }) {
  const snapshot = useSuspenseStream(stream, options);
  told.dispatch = snapshot.dispatch;
  return `${snapshot.status} ${snapshot.state}`;
}

function Waiting({ children }) {
  return <Suspense fallback="waiting">{children}</Suspense>;
}

test('a component suspends until its stream is read, once', async (t) => {
  const { client, appended, stores, reads, hold, release } = await following(t);
  void hold();
  appended(1);
  const { show, shows } = page(t, client);
  show(
    <StrictMode>
      <Waiting>
        <Total />
        <Total />
      </Waiting>
    </StrictMode>,
  );
  await shows('waiting');
  release();
  await shows('current 1current 1');
  appended(2);
  await shows('current 3current 3');
  assert.deepEqual([stores.length, reads()], [1, 1]);
});

test('what shows stays while its store catches up', async (t) => {
  const { client, appended, log, hold, release } = await following(t);
  appended(1);
  const { show, shows } = page(t, client);
  const told = {};
  show(
    <Waiting>
      <Total told={told} />
    </Waiting>,
  );
  await shows('current 1');
  const asked = hold();
  // Nobody is told of it, so the intent finds the stream where it was not expected.
  log.append({ data: '2' });
  told.dispatch({ type: 'test.happened.v1', data: 4, isConditional: true });
  await asked;
  await shows('loading 5');
  release();
  await shows('current 7');
});

test('where the log is another one, a component suspends anew', async (t) => {
  const log = new Log();
  let isReset = false;
  const connect = (connection) => {
    connection.write(isReset ? control({ kind: 'reset', reason: 'cursor_ahead' }, { at: 1 }) + ready(1) : log.frames().join('') + ready(1));
  };
  log.append({ data: '1' });
  const { client, connections, hold, release } = await following(t, { log, connect });
  const { show, shows } = page(t, client);
  show(
    <Waiting>
      <Total />
    </Waiting>,
  );
  await shows('current 1');
  void hold();
  isReset = true;
  connections.forEach((connection) => connection.destroy());
  await shows('waiting');
  release();
  await shows('current 1');
});

test('in a transition, the old stream shows until the new one is read', async (t) => {
  const { client, appended, hold, release } = await following(t);
  appended(1);
  appended(2, 'test:two');
  const { show, shows, text, container } = page(t, client);
  const totalOf = (stream) => (
    <Waiting>
      <Total stream={stream} />
    </Waiting>
  );
  show(totalOf('test:one'));
  await shows('current 1');
  const texts = [];
  new window.MutationObserver(() => texts.push(text())).observe(container, { childList: true, subtree: true, characterData: true });
  const asked = hold();
  startTransition(() => show(totalOf('test:two')));
  await asked;
  appended(3);
  await shows('current 4');
  release();
  await shows('current 2');
  assert.ok(!texts.includes('waiting'), texts.join());
});

test('a stream that may not be read is an error, until somebody tries again', async (t, expected) => {
  expected.push('403', 'The above error occurred in the <Total> component');
  let isRefused = true;
  const answer = (_, response, url) => isRefused && url.pathname.startsWith('/v1/streams/') && (refuse(response, 403, { code: 'forbidden' }), true);
  const { client, appended, reads, stores } = await following(t, { answer });
  appended(1);
  const { container, show, shows } = page(t, client);
  show(
    <Boundary>
      <Waiting>
        <Total />
      </Waiting>
    </Boundary>,
  );
  await shows('HighwaterError: refused: forbidden');
  assert.equal(reads(), 1);
  isRefused = false;
  // Soon, so that whoever tries again asks again.
  await stores[0].closed;
  container.querySelector('button').click();
  await shows('current 1');
});

test('a store that was opened in vain is closed', async (t) => {
  const { client, stores, hold, release } = await following(t);
  const asked = hold();
  const idle = idling(t);
  const { show, shows } = page(t, client);
  show(
    <Waiting>
      <Total />
    </Waiting>,
  );
  await shows('waiting');
  await asked;
  flushSync(() => show(null));
  idle();
  const [opened] = stores;
  assert.equal(opened.isClosed, false, 'somebody may still wait for it');
  const read = new Promise((resolve) => void opened.store.subscribe(resolve));
  release();
  await read;
  assert.equal(opened.isClosed, false);
  idle();
  assert.equal(opened.isClosed, true);
});

test('where the client is closed, nobody waits for it', async (t, expected) => {
  expected.push('the client was closed', 'The above error occurred in the <Total> component');
  const { client, hold } = await following(t);
  void hold();
  const { show, shows } = page(t, client);
  show(
    <Boundary>
      <Waiting>
        <Total />
      </Waiting>
    </Boundary>,
  );
  await shows('waiting');
  client.close();
  await shows('Error: the client was closed before it had read test:one');
});

test('a reducer that is written inline needs a key, and is told so', async (t, expected) => {
  expected.push('ever another function', 'The above error occurred in the <Inline> component');
  const { client, appended, stores } = await following(t);
  appended(1);
  const { show, shows } = page(t, client);
  const Inline = ({ name }) => useSuspenseStream('test:one', { initial: 0, reduce: (total, { data }) => total + data, ...(name && { key: name }) }).state;
  show(
    <Waiting>
      <Inline name="total" />
    </Waiting>,
  );
  await shows('1');
  assert.equal(stores.length, 1);
  const other = page(t, client);
  other.show(
    <Boundary>
      <Waiting>
        <Inline />
      </Waiting>
    </Boundary>,
  );
  await other.shows('Error: test:one is reduced by ever another function: define `reduce` outside of the component, or give a `key`');
});
