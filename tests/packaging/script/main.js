import { connect } from '/highwater/index.js';

connect({ topics: ['packaging:*'], after: 'earliest' }).on('event', ({ event }) => {
    document.title = event.data.number;
});
