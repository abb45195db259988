/**
 * Event-stream clients that others wrote read through a network that breaks every 300 ms: each event once, in order,
 * by nothing but the standard's `Last-Event-ID`.
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { EventSource as NodeEventSource } from 'eventsource';
import { createEventSource } from 'eventsource-client';

import { launchChromium } from '../lib/chromium.mjs';
import { startCuttingProxy } from '../lib/cutting-proxy.mjs';
import { append, Collected } from '../lib/events.mjs';
import { startServer } from '../lib/server.mjs';
import { SUITE_TIMEOUT_MS, throughCuts } from './through-cuts.mjs';

/** @import { Browser } from 'playwright-core' */

/**
 * @typedef {object} Message  What a client hands to its user.
 * @property {string} id
 * @property {string} data
 *
 * @typedef {(message: Message) => void} OnMessage
 *
 * Reads `path` of `origin` and gives what ends that.
 * @typedef {(origin: string, path: string, onMessage: OnMessage) => Promise<() => unknown>} OpenClient
 */

/** @type {OpenClient} */
async function eventsource(origin, path, onMessage) {
    const client = new NodeEventSource(origin + path);
    client.onmessage = ({ lastEventId, data }) => onMessage({ id: lastEventId, data });
    return () => client.close();
}

/** @type {OpenClient} */
async function eventsourceClient(origin, path, onMessage) {
    const client = createEventSource({
        url: origin + path,
        onMessage: ({ id = '', event, data }) => {
            if (event === undefined) {
                onMessage({ id, data });
            }
        },
    });
    return () => client.close();
}

/** @type {(browser: Browser) => OpenClient} */
function chromiumEventSource(browser) {
    return async (origin, path, onMessage) => {
        const page = await openPage(browser, origin, onMessage);
        await page.evaluate((path) => {
            const client = new EventSource(path);
            client.onmessage = ({ lastEventId, data }) => window.received({ id: lastEventId, data });
        }, path);
        return () => page.close();
    };
}

/** @type {(browser: Browser) => OpenClient} */
function chromiumFetchEventSource(browser) {
    return async (origin, path, onMessage) => {
        const page = await openPage(browser, origin, onMessage);
        await page.evaluate((path) => {
            void window.fetchEventSource(path, {
                onmessage: ({ id, event, data }) => {
                    if (event === '') {
                        window.received({ id, data });
                    }
                },
            });
        }, path);
        return () => page.close();
    };
}

/**
 * A page of the server's own origin, so that its scripts may read from it. It has nothing but the package, as published,
 * and what it reads later no longer passes through here.
 *
 * @param {Browser} browser
 * @param {string} origin
 * @param {OnMessage} onMessage
 */
async function openPage(browser, origin, onMessage) {
    const page = await browser.newPage();
    await page.exposeFunction('received', onMessage);
    await page.route(`${origin}/`, (route) => route.fulfill({ contentType: 'text/html', body: PAGE }));
    await page.route(`${origin}/fetch-event-source/*`, async (route) => {
        const name = new URL(route.request().url()).pathname.split('/').at(-1);
        const body = await readFile(join(FETCH_EVENT_SOURCE, `${name}.js`));
        await route.fulfill({ contentType: 'text/javascript', body });
    });
    await page.goto(`${origin}/`);
    await page.unrouteAll();
    return page;
}

const FETCH_EVENT_SOURCE = join(
    dirname(createRequire(import.meta.url).resolve('@microsoft/fetch-event-source')),
    '../esm',
);
const PAGE = `<!doctype html>
<link rel="icon" href="data:,">
<script type="module">
    import { fetchEventSource } from '/fetch-event-source/index';
    window.fetchEventSource = fetchEventSource;
</script>`;

describe('other clients read through a network that breaks', { concurrency: true, timeout: SUITE_TIMEOUT_MS }, () => {
    /** @type {import('../lib/server.mjs').Server} */
    let server;
    /** @type {Browser} */
    let browser;

    before(async () => {
        server = await startServer();
        browser = await launchChromium();
    });
    after(async () => {
        await browser?.close();
        await server?.kill();
    });

    test('eventsource', () => readsThroughCuts('eventsource', eventsource));
    test('eventsource-client', () => readsThroughCuts('eventsource-client', eventsourceClient));
    test("Chromium's EventSource", () => readsThroughCuts('chromium', chromiumEventSource(browser)));
    test('@microsoft/fetch-event-source', () => {
        return readsThroughCuts('fetch-event-source', chromiumFetchEventSource(browser));
    });

    test('a client that believes an id before its frame is whole loses nothing in a cut frame', async () => {
        const stream = 'interop:cut-frames';
        const numbers = [1, 2, 3, 4, 5, 6];
        for (const number of numbers) {
            await append(server.url, stream, number, { padding: 'x'.repeat(60_000) });
        }
        // One event and a half.
        const proxy = await startCuttingProxy({ target: server.url, cutAfterBytes: 95_000 });
        /** @type {Collected<Message>} */
        const received = new Collected();
        const path = `/v1/events?topic=${stream}&after=earliest`;
        const close = await chromiumFetchEventSource(browser)(proxy.url, path, (message) => received.add(message));
        try {
            await received.reach(numbers.length, SUITE_TIMEOUT_MS / 2);
        } finally {
            await close();
            await proxy.close();
        }
        assert.deepEqual(received.items.map(({ data }) => JSON.parse(data).data.number), numbers);
        assert.ok(proxy.cuts() >= numbers.length - 1, `${proxy.cuts()} cuts`);
    });

    /**
     * @param {string} name
     * @param {OpenClient} open
     */
    async function readsThroughCuts(name, open) {
        let path = '';
        /** @type {Collected<Message>} */
        const received = new Collected();
        const { appended, requests } = await throughCuts({
            server,
            space: `interop:${name}`,
            received,
            open: (origin, topic) => {
                path = `/v1/events?topic=${encodeURIComponent(topic)}&after=earliest`;
                return open(origin, path, (message) => received.add(message));
            },
        });
        assert.deepEqual(
            received.items.map(({ id, data }) => {
                const event = JSON.parse(data);
                return [id, event.subject, event.revision, event.data.number];
            }),
            appended.map(({ position, stream, revision, number }) => [position, stream, revision, number]),
        );
        const epoch = appended[0]?.position.split('-')[0] ?? '';
        assertResumedById(requests, path, epoch);
    }
});

/**
 * No connection went on from further back than the one before it. Only those that were cut before their first frame are
 * followed by one without an id; that none of these repeated an event is for the list of events to show.
 *
 * @param {import('../lib/cutting-proxy.mjs').Request[]} requests
 * @param {string} path
 * @param {string} epoch
 */
function assertResumedById(requests, path, epoch) {
    let last = 0;
    for (const request of requests) {
        assert.equal(request.path, path);
        if (request.lastEventId === undefined) {
            assert.equal(last, 0, 'an id that was known is sent');
            continue;
        }
        const [epochThere, sequence] = request.lastEventId.split('-');
        assert.equal(epochThere, epoch);
        assert.ok(Number(sequence) >= last, `${request.lastEventId} after ${last}`);
        last = Number(sequence);
    }
    assert.ok(last > 0, 'some connection went on from an id');
}
