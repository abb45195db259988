/**
 * Our own package, in Node, reads through a network that breaks every 300 ms: each event is applied once, in order, and
 * its numbers add up.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { connect } from 'highwater';

import { Collected } from '../lib/events.mjs';
import { startServer } from '../lib/server.mjs';
import { SUITE_TIMEOUT_MS, throughCuts } from './through-cuts.mjs';

/** @import { Client, Message } from 'highwater' */

describe('the package reads through a network that breaks', { timeout: SUITE_TIMEOUT_MS }, () => {
    /** @type {import('../lib/server.mjs').Server} */
    let server;

    before(async () => {
        server = await startServer();
    });
    after(() => server?.kill());

    test('listeners and iterators are given each event once, in order', async () => {
        /** @type {Client | undefined} */
        let client;
        /** @type {Promise<Message[]> | undefined} */
        let iterated;
        /** @type {Collected<Message>} */
        const received = new Collected();
        const told = { duplicate: 0, gap: 0 };
        const { appended } = await throughCuts({
            server,
            space: 'interop:highwater',
            received,
            open: async (url, topic) => {
                const opened = connect({ url, topics: [topic], after: 'earliest', backoffMaxMs: 500 });
                opened.on('event', (message) => received.add(message));
                opened.on('duplicate', () => void told.duplicate++);
                opened.on('gap', () => void told.gap++);
                iterated = all(opened);
                client = opened;
                return () => opened.close();
            },
        });

        const expected = appended.map(({ position, stream, revision, number }) => [position, stream, revision, number]);
        assert.deepEqual(received.items.map(summary), expected);
        assert.deepEqual((await iterated)?.map(summary), expected);

        const stats = client?.stats();
        assert.ok(stats);
        const { status, cursor, applied, reconnects, duplicate, gap, ...rest } = stats;
        assert.equal(status, 'closed');
        assert.equal(cursor, appended.at(-1)?.position);
        assert.equal(applied, appended.length);
        assert.ok(reconnects > 0);
        assert.deepEqual({ duplicate, gap }, told);
        assert.deepEqual(rest, { stale: 0, unreadable: 0, discarded: 0, dropped: 0, held: 0 });
    });
});

/** @param {Client} client */
async function all(client) {
    const list = [];
    for await (const told of client) {
        assert.ok(told.kind === 'event');
        list.push(told);
    }
    return list;
}

/** @param {Message} message */
function summary({ event, position }) {
    const { number } = /** @type {{ number: number }} */ (event.data);
    return [position, event.subject, event.revision, number];
}
