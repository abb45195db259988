/** What the package's types must allow, and what they must refuse. Never run: `npm run check` compiles it. */

import { connect, HighwaterError, type CloudEvent, type Lost, type Message, type Reset, type Stats, type Told, type Unreadable } from 'highwater';
import { domain } from 'highwater/domain';

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
  for await (const told of client) {
    const one: Told<Task> = told;
    switch (told.kind) {
      case 'event': {
        const message: Message<Task> = told;
        const event: CloudEvent<Task> = told.event;
        void [message, event];
        break;
      }
      case 'unreadable':
        void (told satisfies Unreadable);
        break;
      case 'lost':
        void (told satisfies Lost);
        break;
      case 'reset':
        void (told satisfies Reset);
        break;
      default:
        void (told satisfies never);
    }
    // @ts-expect-error it may be a reset
    void one.event;
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

const lamp = connect({ topics: ['house:**'], domain }).entity<{ is_on: boolean }, { type: 'turn_on' }>('lamp', 'house:1:lamps:hall');
const isOn: boolean = lamp.getSnapshot().state.is_on;
lamp.dispatch({ type: 'turn_on' }, { causationId: 'event-1', isConditional: true }).confirmed.catch(() => isOn);
// @ts-expect-error that is no command of a lamp
lamp.dispatch({ type: 'fly' });
// @ts-expect-error a domain is none without its entities
connect({ topics: ['house:**'], domain: {} });
