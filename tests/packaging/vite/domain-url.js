import { connect } from 'highwater';
import { load } from 'highwater/domain/url';

const client = connect({ topics: ['packaging:*', 'space:1:tasks:*'], after: 'earliest', domain: await load() });
const task = client.entity('task', 'space:1:tasks:packaging');
task.dispatch({ type: 'intervene', data: { note: 'fine' } });
client.on('event', ({ event }) => {
    if (event.subject === 'packaging:page' && task.getSnapshot().state.interventions > 0) {
        document.title = event.data.number;
    }
});
