import { connect } from 'highwater';
import { domain } from 'highwater/domain';
import { load } from 'highwater/domain/url';

const loaded = await load();
for (const entities of [domain, loaded]) {
    const client = connect({ url: process.argv[2], topics: ['space:1:tasks:*'], domain: entities });
    const task = client.entity('task', 'space:1:tasks:node');
    await task.dispatch({ type: 'intervene', data: { note: 'fine' } }).confirmed;
    console.log(task.getSnapshot().confirmed.interventions);
    client.close();
}
