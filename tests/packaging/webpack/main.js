import { connect } from 'highwater';

connect({ topics: ['packaging:*'], after: 'earliest' }).on('event', ({ event }) => {
    document.title = event.data.number;
});
