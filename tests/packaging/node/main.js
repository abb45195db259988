import { connect } from 'highwater';

const client = connect({ url: process.argv[2], topics: ['packaging:node'], after: 'earliest' });
for await (const told of client) {
    console.log(told.event.data.number);
    client.close();
}
