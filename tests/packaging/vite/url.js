import { connect, start } from 'highwater/url';

await start();
connect({ topics: ['packaging:*'], after: 'earliest' }).on('event', ({ event }) => {
    document.title = event.data.number;
});
