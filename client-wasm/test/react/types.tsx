/** What the hooks' types must allow, and what they must refuse. Never run: `npm run check` compiles it. */

import { connect, type Client, type Dispatched, type Intent, type StatusChange } from 'highwater';
import { HighwaterProvider, type StreamOptions, type StreamSnapshot, useClient, useDispatch, useEntity, useStatus, useStream, useSuspenseStream } from 'highwater/react';
import type { TaskCommand, TaskState } from 'highwater/domain';
import type { ReactElement } from 'react';

interface Task {
  title: string;
}

const client = connect<Task>({ topics: ['space:42:**'] });
const titles: StreamOptions<string[], Task> = { initial: [], reduce: (all, { data }) => [...all, data?.title ?? ''] };

export function Tasks(): ReactElement {
  const snapshot: StreamSnapshot<string[]> = useStream('space:42:tasks:one', titles);
  const { state, status, intents, dispatch, error } = useSuspenseStream('space:42:tasks:one', { ...titles, client, key: 'titles' });
  const first: string | undefined = state[0];
  const dispatched: Dispatched = dispatch({ type: 'task.added.v1', data: { title: 'new' } });
  // Types follow from the reducer.
  const length = useStream('space:42:tasks:one', { initial: 0, reduce: (sum: number, { data }: { data?: Task }) => sum + (data?.title.length ?? 0) });
  void [snapshot, first, dispatched, intents, error?.message, status === 'restored', length.state.toFixed()];
  const append: (intent: Intent) => Dispatched = useDispatch('space:42:tasks:one', client);
  const change: StatusChange = useStatus();
  const used: Client = useClient();
  void [append, used, change.status === 'failed' && change.error.message];
  const task = useEntity<TaskState, TaskCommand>('task', 'space:42:tasks:one', client);
  void [task.state.phase === 'passed', task.setAside.stale, task.dispatch({ type: 'intervene', data: { note: 'fine' } }, { version: 1 })];
  // @ts-expect-error that is no command of a task
  task.dispatch({ type: 'approve' });
  // @ts-expect-error it is not known what is in the data
  useStream('a:b', { initial: '', reduce: (_, { data }) => data.title });
  // @ts-expect-error the state's type is that of `initial`
  useStream<number>('a:b', { initial: 'none', reduce: (state) => state });
  // @ts-expect-error a snapshot does not change
  snapshot.state = [];
  return <HighwaterProvider client={undefined}>text</HighwaterProvider>;
}

// @ts-expect-error a client is given, or it is said that there is none
void (<HighwaterProvider />);
