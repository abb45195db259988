/** What components show of an entity. */

import { StrictMode } from 'react';

import { domain } from 'highwater/domain';
import { useEntity, useStream } from '../../dist/react.js';
import { CommandServer } from '../command_server.js';
import { count, page, test } from './page.jsx';

const TASK = 'space:1:tasks:task-abc';

function Task() {
  const { status, state, dispatch } = useEntity('task', TASK);
  const intervene = () => dispatch({ type: 'intervene', data: { note: 'fine' } });
  return <button onClick={intervene}>{`${status} ${state.interventions}`}</button>;
}

test('a component shows an entity, and what a user asks of it at once', async (t) => {
  const server = await CommandServer.start(t);
  server.record({ type: 'task.user_intervened.v1', data: { note: '…' } });
  const client = server.connect({ domain });
  await server.isLive(client);
  const { show, shows, container } = page(t, client);
  show(
    <StrictMode>
      <Task />
    </StrictMode>,
  );
  await shows('current 1');
  server.hold();
  container.querySelector('button').click();
  await shows('current 2');
  server.release();
});

test('an entity and a reducer of the same stream are stores of their own', async (t) => {
  const server = await CommandServer.start(t);
  server.record({ type: 'task.user_intervened.v1', data: { note: '…' } });
  const client = server.connect({ domain });
  const { show, shows } = page(t, client);
  const Count = () => <p>{useStream(TASK, { ...count, reduce: (events) => events + 1 }).state}</p>;
  show(
    <>
      <Count />
      <Task />
    </>,
  );
  await shows('1current 1');
});
