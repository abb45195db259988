import { connect, HighwaterError, type Client, type Told } from 'highwater';
import { domain, type TaskCommand, type TaskState } from 'highwater/domain';
import { load } from 'highwater/domain/url';
import * as byUrl from 'highwater/url';

const client: Client<{ n: number }> = connect<{ n: number }>({ topics: ['a:b'] });
client.on('event', ({ event }) => event.data?.n.toFixed());
for await (const told of client) {
  const one: Told<{ n: number }> = told;
  void one;
}
// @ts-expect-error it is typed, and not any
client.nothing();

await byUrl.start(new URL('https://example.org/client.wasm'));
const other: Client = byUrl.connect({ topics: ['a:b'] });
// @ts-expect-error that is no wasm
await byUrl.start(null);

const withEntities: Client = connect({ topics: ['space:1:**'], domain: Math.random() > 0.5 ? domain : await load(new URL('https://example.org/own.wasm')) });
const task = withEntities.entity<TaskState, TaskCommand>('task', 'space:1:tasks:t');
const version: number | undefined = task.getSnapshot().state.code?.version;
const stale: number = task.getSnapshot().setAside.stale;
const recorded: Promise<string> = task.dispatch({ type: 'report_bug', data: { bug: '…' } }, { version: 1, isConditional: true }).acknowledged;
// @ts-expect-error that is no command of a task
task.dispatch({ type: 'approve' });
withEntities.entity('proposal', 'space:1:proposals:p').dispatch({ type: 'approve', data: {} });

export { HighwaterError, other, recorded, stale, version };
