/** What the package's types must allow, and what they must refuse. Never run: `npm run check` compiles it. */

import { connect, HighwaterError, type CloudEvent, type Message, type Stats } from 'highwater';

interface Task {
  title: string;
}

const client = connect<Task>({
  url: new URL('http://127.0.0.1:4000'),
  topics: ['space:42:**'],
  after: 'earliest',
  headers: async () => ({ authorization: 'Bearer …' }),
  signal: AbortSignal.timeout(1000),
  bufferEventsMax: 10,
});

const stop: () => void = client.on('event', ({ event, position }) => {
  const title: string | undefined = event.data?.title;
  const named: [string | undefined, string, number] = [title, position, event.revision];
  void named;
});
stop();

client.on('stale', ({ event }) => event?.version.toFixed());
client.on('unreadable', ({ position, stream, text, error }) => [position?.length, stream?.length, text.length, error.message]);
client.on('reset', ({ reason }) => reason === 'epoch_changed');
client.on('lost', ({ stream, from, to }) => stream.repeat(to - from));
client.on('status', (change) => {
  if (change.status === 'failed' && change.error instanceof HighwaterError) {
    const code: string | undefined = change.error.code;
    void code;
  } else if (change.status === 'backing_off') {
    change.delayMs.toFixed();
  }
});

export async function follow(): Promise<Stats> {
  for await (const message of client) {
    const one: Message<Task> = message;
    const event: CloudEvent<Task> = one.event;
    void event;
  }
  client.close();
  return client.stats();
}

// @ts-expect-error topics are needed
connect({ url: 'http://127.0.0.1' });
// @ts-expect-error there is no such thing to listen for
client.on('message', () => {});
// @ts-expect-error data is not known without a type argument
connect({ topics: ['a:b'] }).on('event', ({ event }) => event.data.title);
// @ts-expect-error nothing of it can be set
client.status = 'live';
