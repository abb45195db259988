import { connect } from '/highwater/index.js';

connect({ topics: ['packaging:*'], after: 'earliest' }).on('event', ({ event }) => postMessage(event.data.number));
