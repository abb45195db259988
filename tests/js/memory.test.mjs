/**
 * A page that lives long: after a hundred thousand events more it takes no more memory than after the first ten thousand. It
 * follows in every way there is, in Chromium, a real server's log of few streams.
 */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchChromium } from './lib/chromium.mjs';
import { startServer } from './lib/server.mjs';

/** @import { Browser, CDPSession, Page } from 'playwright-core' */
/** @import { Server } from './lib/server.mjs' */

const WARM_UP_EVENTS = 10_000;
const EVENTS = 100_000;
const BATCH_EVENTS = 1_000;
const STREAMS = 20;
const GROWTH_MAX = 0.1;
const TIMEOUT_MS = 150_000;

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
before(async () => {
    [server, browser] = await Promise.all([startServer(), launchChromium()]);
});
after(() => Promise.all([browser?.close(), server?.stop()]));

test('a hundred thousand events leave neither heap nor WebAssembly larger', { timeout: TIMEOUT_MS }, async (t) => {
    const page = await browser.newPage();
    await page.addInitScript(keepMemories);
    // A page that does not follow by itself.
    await page.goto(`${server.url}/docs`);
    const inspector = await page.context().newCDPSession(page);

    // They are there before the page comes, so that it is sent them as fast as it takes them: no later chunk is larger.
    const warm = await append(0, WARM_UP_EVENTS);
    await page.evaluate(follow);
    assert.deepEqual(await toldUpTo(page, warm), expected(WARM_UP_EVENTS));
    const early = await used(page, inspector);
    const last = await append(WARM_UP_EVENTS, EVENTS);
    assert.deepEqual(await toldUpTo(page, last), expected(WARM_UP_EVENTS + EVENTS));
    const late = await used(page, inspector);

    t.diagnostic(`${JSON.stringify(early)}, then ${JSON.stringify(late)}`);
    for (const what of /** @type {const} */ (['heapBytes', 'wasmBytes'])) {
        assert.ok(late[what] <= early[what] * (1 + GROWTH_MAX), `${what} grew from ${early[what]} to ${late[what]}`);
    }
});

/** In a page, before anything else: keeps the memories of WebAssembly that it comes to have. */
function keepMemories() {
    window.memories = [];
    WebAssembly.Instance = class extends WebAssembly.Instance {
        /** @param {ConstructorParameters<typeof WebAssembly.Instance>} args */
        constructor(...args) {
            super(...args);
            window.memories.push(/** @type {WebAssembly.Memory} */ (this.exports.memory));
        }
    };
}

/** In a page: follows with listeners, a store and an iterator, which keep nothing of what they get but how often. */
async function follow() {
    const served = '/highwater/index.js';
    /** @type {typeof import('highwater')} */
    const { connect } = await import(served);
    const client = connect({ topics: ['memory:**'], after: 'earliest' });
    const told = { event: 0, stale: 0, iterated: 0 };
    client.on('event', () => void told.event++);
    client.on('stale', () => void told.stale++);
    const store = client.state('memory:0', { initial: 0, reduce: (count) => count + 1 });
    const iterated = new EventTarget();
    window.living = { client, store, told, iterated };
    void (async () => {
        for await (const { kind } of client) {
            told.iterated += kind === 'event' ? 1 : 0;
            iterated.dispatchEvent(new Event('change'));
        }
    })();
}

/**
 * What the page has been told, once that is all up to a position.
 *
 * @param {Page} page
 * @param {string} position
 */
function toldUpTo(page, position) {
    return page.evaluate(async (position) => {
        const { client, store, told, iterated } = window.living;
        await client.caughtUp(position);
        while (told.iterated < told.event) {
            await new Promise((resolve) => iterated.addEventListener('change', resolve, { once: true }));
        }
        return { ...told, state: store.getSnapshot().state, memories: window.memories.length };
    }, position);
}

/**
 * Appends so many events after the first `from`, and gives the position of the last.
 *
 * @param {number} from
 * @param {number} count
 */
async function append(from, count) {
    let position = '';
    for (let at = from; at < from + count; at += BATCH_EVENTS) {
        position = await appendBatch(at);
    }
    return position;
}

/** @param {number} from */
async function appendBatch(from) {
    const events = Array.from({ length: BATCH_EVENTS }, (_, at) => ({
        specversion: '1.0',
        id: `event-${from + at}`,
        source: 'memory-test',
        type: 'memory.filled.v1',
        subject: streamOf(from + at),
        version: isStale(from + at) ? 0 : 1,
        data: { number: from + at, text: 'not to be kept '.repeat(10) },
    }));
    const response = await fetch(`${server.url}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/cloudevents-batch+json' },
        body: JSON.stringify(events),
    });
    assert.equal(response.status, 201);
    return (await response.json()).position;
}

/** @param {number} number */
function streamOf(number) {
    return `memory:${number % STREAMS}`;
}

/** @param {number} number */
function isStale(number) {
    return number >= STREAMS && number % 7 === 0;
}

/**
 * What the page is to have been told of the first so many events. It has one instance of WebAssembly.
 *
 * @param {number} count
 */
function expected(count) {
    const numbers = Array.from({ length: count }, (_, number) => number);
    const applied = numbers.filter((number) => !isStale(number));
    const state = applied.filter((number) => streamOf(number) === 'memory:0').length;
    return { event: applied.length, stale: count - applied.length, iterated: applied.length, state, memories: 1 };
}

/**
 * What the page uses, without what can be collected.
 *
 * @param {Page} page
 * @param {CDPSession} inspector
 */
async function used(page, inspector) {
    await inspector.send('HeapProfiler.collectGarbage');
    const { usedSize } = await inspector.send('Runtime.getHeapUsage');
    const wasmBytes = await page.evaluate(() => window.memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0));
    return { heapBytes: usedSize, wasmBytes };
}
