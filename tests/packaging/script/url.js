import { connect, start } from '/highwater/url.js';

await start();
connect({ topics: ['packaging:*'], after: 'earliest' }).on('event', ({ event }) => {
    document.title = event.data.number;
});
