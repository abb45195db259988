/** Pages that a server renders, where no client is, and that a browser goes on with. */

import assert from 'node:assert/strict';

import { StrictMode, Suspense } from 'react';

import { HighwaterProvider, useDispatch, useStatus, useStream, useSuspenseStream } from '../../dist/react.js';
import { count, following, hydrateRoot, shows, test } from './page.jsx';

const { renderToString } = (await import('react-dom/server')).default;

function Page() {
  const { status } = useStatus();
  const { state } = useStream('test:one', count);
  useDispatch('test:one');
  return (
    <StrictMode>
      <p>{`${status} ${state}`}</p>
      <Suspense fallback={<i>waiting</i>}>
        <Total />
      </Suspense>
    </StrictMode>
  );
}

function Total() {
  return <b>{useSuspenseStream('test:one', count).state}</b>;
}

test('a server renders what there is before the first event, and a browser goes on from it', async (t) => {
  const html = renderToString(
    <HighwaterProvider client={undefined}>
      <Page />
    </HighwaterProvider>,
  );
  assert.match(html, /<p>connecting 0<\/p>[^]*<i>waiting<\/i>/);

  const { client, appended, stores } = await following(t);
  appended(1);
  const container = document.body.appendChild(document.createElement('main'));
  container.innerHTML = html;
  const paragraph = container.querySelector('p');
  const recovered = [];
  const root = hydrateRoot(
    container,
    <HighwaterProvider client={client}>
      <Page />
    </HighwaterProvider>,
    { onRecoverableError: ({ message }) => recovered.push(message) },
  );
  t.after(() => {
    root.unmount();
    container.remove();
  });
  await shows(container, 'live 11');
  assert.equal(container.querySelector('p'), paragraph);
  assert.equal(stores.length, 1);
  // The fallback is no mismatch: React says why it was there.
  assert.deepEqual(recovered.filter((message) => !message.includes('this hook reads in browsers only')), []);
});
