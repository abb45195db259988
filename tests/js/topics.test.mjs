/**
 * Topics that are added to a client that follows others, and removed, against the real server.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { connect, HighwaterError } from 'highwater';
import { append } from './lib/events.mjs';
import { startServer } from './lib/server.mjs';

/** @import { Client, Options } from 'highwater' */
/** @import { Server } from './lib/server.mjs' */

/** @type {Server} */
let server;
before(async () => {
    server = await startServer();
});
after(() => server?.stop());

/** @param {import('node:test').TestContext} t @param {Partial<Options> & Pick<Options, 'topics'>} options */
function follow(t, options) {
    const client = connect({ url: server.url, ...options });
    t.after(() => client.close());
    /** @type {string[]} */
    const told = [];
    client.on('event', ({ event }) => told.push(`${event.subject} ${event.revision}`));
    /** @param {Client['status']} status */
    const until = async (status) => {
        while (client.status !== status) {
            await new Promise((resolve) => {
                const stop = client.on('status', () => resolve(stop()));
            });
        }
    };
    return { client, told, until };
}

test('a topic that is added is told from its beginning on, and the others lose nothing', async (t) => {
    const [one, two] = ['add:one', 'add:two'];
    for (const stream of [one, two, one, two]) {
        await append(server.url, stream, 1);
    }
    const { client, told, until } = follow(t, { topics: [one], after: 'earliest', pageEventsMax: 1 });
    await until('live');
    assert.deepEqual(told, ['add:one 1', 'add:one 2']);

    // While it is being added, both go on.
    const [added] = await Promise.all([client.add(two), append(server.url, one, 3), append(server.url, two, 3)]);
    assert.equal(added, undefined);
    assert.deepEqual(client.topics, [one, two]);
    await append(server.url, one, 4);
    await client.caughtUp((await append(server.url, two, 4)).position);
    /** @param {string} stream */
    const of = (stream) => told.filter((line) => line.startsWith(stream));
    assert.deepEqual(of(one), [1, 2, 3, 4].map((revision) => `${one} ${revision}`));
    assert.deepEqual(of(two), [1, 2, 3, 4].map((revision) => `${two} ${revision}`));
    const { gap, held, dropped } = client.stats();
    assert.deepEqual([gap, held, dropped], [0, 0, 0]);
});

test('under latest a topic that is added is told from the cursor on', async (t) => {
    await append(server.url, 'late:two', 1);
    const { client, told, until } = follow(t, { topics: ['late:one'] });
    await until('live');
    await client.add('late:*');
    await append(server.url, 'late:one', 1);
    await client.caughtUp((await append(server.url, 'late:two', 2)).position);
    assert.deepEqual(told, ['late:one 1', 'late:two 2']);
});

test('a topic that is removed is told no longer, and brings what was missed when it is added again', async (t) => {
    const { client, told, until } = follow(t, { topics: ['gone:one', 'gone:two'] });
    await until('live');
    await client.caughtUp((await append(server.url, 'gone:two', 1)).position);
    client.remove('gone:two');
    client.remove('gone:three');
    await append(server.url, 'gone:two', 2);
    await client.caughtUp((await append(server.url, 'gone:one', 1)).position);
    assert.deepEqual([told, client.topics], [['gone:two 1', 'gone:one 1'], ['gone:one']]);
    await client.add('gone:two', { after: 'earliest' });
    assert.deepEqual(told.slice(2), ['gone:two 2']);
    client.remove('gone:one');
    client.remove('gone:two');
    assert.deepEqual(client.topics, ['gone:two'], 'the last one stays');
});

test('a topic that the server refuses ends nothing', async (t) => {
    const { client, told, until } = follow(t, { topics: ['sound:one'] });
    await until('live');
    await assert.rejects(client.add('sound::two'), (error) => error instanceof HighwaterError && error.status === 400);
    await client.caughtUp((await append(server.url, 'sound:one', 1)).position);
    assert.deepEqual([told, client.topics, client.status], [['sound:one 1'], ['sound:one'], 'live']);
});
