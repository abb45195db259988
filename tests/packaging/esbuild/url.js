import { connect, start } from 'highwater/url';
import wasm from 'highwater/client.wasm'; // esbuild's loader `file` gives where it is.

await start(new URL(wasm, import.meta.url));
connect({ topics: ['packaging:*'], after: 'earliest' }).on('event', ({ event }) => {
    document.title = event.data.number;
});
