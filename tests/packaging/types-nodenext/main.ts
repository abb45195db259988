import { connect, HighwaterError, type Client, type Told } from 'highwater';
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

export { HighwaterError, other };
