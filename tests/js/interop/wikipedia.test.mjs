/**
 * Real input: a day's edits of Wikipedia are imported, and followed as they come by the package in Node and in Chromium.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

import { connect } from 'highwater';

import { launchChromium } from '../lib/chromium.mjs';
import { dataPath } from '../lib/data.mjs';
import { Collected } from '../lib/events.mjs';
import { run, startServer } from '../lib/server.mjs';

/** @import { Message } from 'highwater' */

const EDITS = dataPath('wikipedia-edits-2015-09-12.json.gz');
const EDITS_COUNT = 39_244;
const TOPIC = 'wiki:**';
const TEMPLATES = ['--stream', 'wiki:{channel}:{page}', '--type', 'wiki.edited.v1', '--source', '{user}', '--time', '{time}'];
const TIMEOUT_MS = 120_000;

const skip = EDITS === undefined && 'no test data: set HIGHWATER_DATA to the folder that holds it';

describe("a day's edits of Wikipedia", { skip, timeout: TIMEOUT_MS }, () => {
    /** @type {import('../lib/server.mjs').Server} */
    let server;
    /** @type {import('playwright-core').Browser} */
    let browser;

    before(async () => {
        server = await startServer();
        browser = await launchChromium();
    });
    after(async () => {
        await browser?.close();
        await server?.kill();
    });

    test('are applied once each, in order, in Node and in Chromium, while they are imported', async () => {
        const inNode = followInNode(server.url);
        const inChromium = await followInChromium(browser, server.url);
        await run(['import', String(EDITS), '--url', server.url, ...TEMPLATES]);

        const edits = readLines(String(EDITS));
        assert.equal(edits.length, EDITS_COUNT);
        const { messages, stats } = await inNode;
        assert.equal(messages.length, EDITS_COUNT);
        for (const [index, { event, position }] of messages.entries()) {
            assert.equal(Number(event.sequence), index + 1);
            assert.equal(position.split('-')[1], String(index + 1));
            assert.equal(JSON.stringify(event.data), edits[index]);
        }
        assertNothingElse(stats);

        const shown = await inChromium.shown();
        assert.deepEqual(shown.positions, messages.map(({ position }) => position));
        assertNothingElse(shown.stats);
    });
});

/**
 * Starts before there is an event, and ends with the last.
 *
 * @param {string} url
 */
async function followInNode(url) {
    const client = connect({ url, topics: [TOPIC], after: 'earliest' });
    /** @type {Collected<Message>} */
    const received = new Collected();
    client.on('event', (message) => received.add(message));
    try {
        await received.reach(EDITS_COUNT, TIMEOUT_MS);
        return { messages: received.items, stats: client.stats() };
    } finally {
        client.close();
    }
}

/**
 * The same on the server's own page, with the package that the server serves.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 */
async function followInChromium(browser, url) {
    const page = await browser.newPage();
    const answer = await page.goto(url);
    assert.equal(answer?.status(), 200);
    const following = await page.evaluateHandle(async ([topic, count]) => {
        const served = '/highwater/index.js';
        /** @type {typeof import('highwater')} */
        const { connect } = await import(served);
        const client = connect({ topics: [topic], after: 'earliest' });
        /** @type {string[]} */
        const positions = [];
        /** @type {Promise<void>} */
        const all = new Promise((resolve) => {
            client.on('event', ({ position }) => {
                if (positions.push(position) === count) {
                    resolve();
                }
            });
        });
        return { client, positions, all };
    }, /** @type {const} */ ([TOPIC, EDITS_COUNT]));
    return {
        shown: () =>
            following.evaluate(async ({ client, positions, all }) => {
                await all;
                return { positions, stats: client.stats() };
            }),
    };
}

/**
 * Every event that came was applied, and all of them came.
 *
 * @param {import('highwater').Stats} stats
 */
function assertNothingElse(stats) {
    const { status, cursor, reconnects, ...counts } = stats;
    assert.deepEqual(counts, {
        applied: EDITS_COUNT,
        stale: 0,
        duplicate: 0,
        unreadable: 0,
        discarded: 0,
        dropped: 0,
        held: 0,
        gap: 0,
    });
}

/** @param {string} packed */
function readLines(packed) {
    return gunzipSync(readFileSync(packed)).toString('utf8').trimEnd().split('\n');
}
