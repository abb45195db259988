/**
 * `/v1/ws` by clients that others wrote: the npm package `ws`, and Chromium's own `WebSocket` with its cookies and its
 * `Origin`.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, suite, test } from 'node:test';

import { WebSocket } from 'ws';

import { launchChromium } from '../lib/chromium.mjs';
import { append, Collected } from '../lib/events.mjs';
import { startServer } from '../lib/server.mjs';
import { makeKeys, tokenOf } from '../lib/token.mjs';

/** @import { TestContext } from 'node:test' */
/** @import { Browser } from 'playwright-core' */

const TIMEOUT_MS = 30_000;

/** @param {string} url */
const socketUrl = (url) => `${url.replace('http', 'ws')}/v1/ws`;

/** A text frame without a mask, which a client must not send; and one of a kind that there is not. */
const BAD_FRAMES = [Buffer.from([0x81, 0x02, 0x68, 0x69]), Buffer.from([0x83, 0x80, 0, 0, 0, 0])];

suite('ws', () => {
    /** @type {Awaited<ReturnType<typeof startServer>>} */
    let server;
    before(async () => {
        server = await startServer();
    });
    after(() => server.stop());

    test('subscribes, resumes and unsubscribes', async (t) => {
        await append(server.url, 'ws:a', 1);
        const { socket, messages, next } = await open(t, server.url);
        say(socket, { op: 'subscribe', sub: 1, topics: ['ws:a'], after: 'earliest' });
        const first = await next('event');
        assert.deepEqual([first.sub, first.event.data, first.prev], [1, { number: 1 }, 0]);
        assert.equal((await next('ready')).sub, 1);
        await append(server.url, 'ws:a', 2);
        const second = await next('event');
        assert.deepEqual([second.event.data, second.prev], [{ number: 2 }, Number(first.id.split('-')[1])]);

        say(socket, { op: 'unsubscribe', sub: 1 });
        say(socket, { op: 'subscribe', sub: 2, topics: ['ws:a'], after: first.id });
        const resumed = await next('event');
        assert.deepEqual([resumed.sub, resumed.id, resumed.event.data], [2, second.id, { number: 2 }]);
        await next('ready');
        await append(server.url, 'ws:a', 3);
        assert.deepEqual((await next('event')).sub, 2);
        assert.deepEqual(messages.items.filter((message) => message.event?.data.number === 3).length, 1);
    });

    test('is told of what is wrong, and goes on', async (t) => {
        const { socket, next } = await open(t, server.url);
        for (const wrong of ['no JSON', '{"op":"publish","sub":1}', Buffer.from('binary')]) {
            socket.send(wrong);
            assert.equal((await next('error')).problem.code, 'invalid_request');
        }
        say(socket, { op: 'subscribe', sub: 1, topics: ['not a topic'] });
        const error = await next('error');
        assert.deepEqual([error.sub, error.problem.code], [1, 'invalid_topic']);
        say(socket, { op: 'subscribe', sub: 1, topics: ['ws:b'] });
        assert.equal((await next('ready')).sub, 1);
    });

    test('is answered its pings, and its close', async (t) => {
        const { socket } = await open(t, server.url);
        socket.ping('are you there');
        const [payload] = await once(socket, 'pong', { signal: AbortSignal.timeout(TIMEOUT_MS) });
        assert.equal(String(payload), 'are you there');
        const closed = once(socket, 'close', { signal: AbortSignal.timeout(TIMEOUT_MS) });
        socket.close(1000, 'done');
        assert.equal((await closed)[0], 1000);
    });

    test('is cut where it breaks the protocol or says too much, and nobody else is', async (t) => {
        const other = await open(t, server.url);
        say(other.socket, { op: 'subscribe', sub: 1, topics: ['ws:c'] });
        await other.next('ready');
        const tooMuch = /** @param {WebSocket} socket */ (socket) => socket.send('x'.repeat(512 * 1024));
        const bad = BAD_FRAMES.map((frame) => (/** @type {WebSocket} */ socket) => wire(socket).write(frame));
        for (const breaks of [...bad, tooMuch]) {
            const { socket } = await open(t, server.url);
            const closed = once(socket, 'close', { signal: AbortSignal.timeout(TIMEOUT_MS) });
            socket.on('error', () => {});
            breaks(socket);
            await closed;
        }
        await append(server.url, 'ws:c', 1);
        assert.deepEqual((await other.next('event')).event.data, { number: 1 });
    });

    test('is told of the end, and comes back where it was', async (t) => {
        const first = await startServer();
        const { socket, next } = await open(t, first.url);
        say(socket, { op: 'subscribe', sub: 1, topics: ['ws:*'], after: 'earliest' });
        await next('ready');
        await append(first.url, 'ws:a', 1);
        const { id } = await next('event');
        const closed = once(socket, 'close', { signal: AbortSignal.timeout(TIMEOUT_MS) });
        await first.stop();
        assert.equal((await next('goodbye')).sub, 1);
        assert.equal((await closed)[0], 1001);

        const second = await startServer({ data: first.data });
        t.after(() => second.stop());
        await append(second.url, 'ws:a', 2);
        const again = await open(t, second.url);
        say(again.socket, { op: 'subscribe', sub: 1, topics: ['ws:*'], after: id });
        assert.deepEqual((await again.next('event')).event.data, { number: 2 });
    });
});

suite("Chromium's own WebSocket", () => {
    /** @type {Browser} */
    let browser;
    before(async () => {
        browser = await launchChromium();
    });
    after(() => browser.close());

    test('subscribes with the cookie of a session, and with nothing else', async (t) => {
        const { secret, keys } = makeKeys();
        const server = await startServer({ flags: ['--auth-keys', keys] });
        t.after(() => server.stop());
        const page = await browser.newPage();
        t.after(() => page.close());
        // Chromium keeps a cookie that asks for TLS from this machine by its name only.
        const url = server.url.replace('127.0.0.1', 'localhost');
        await page.goto(`${url}/`);
        assert.deepEqual(await page.evaluate(heard, { url: socketUrl(url), topic: 'space:1:*' }), ['closed']);
        const token = tokenOf(secret, { read: ['space:1:*'] });
        const status = await page.evaluate(async (token) => {
            const response = await fetch('/v1/session', {
                method: 'POST',
                headers: { Authorization: `Bearer ${token}` },
            });
            return response.status;
        }, token);
        assert.equal(status, 204);
        assert.deepEqual(await page.evaluate(heard, { url: socketUrl(url), topic: 'space:1:*' }), ['ready']);
        assert.deepEqual(await page.evaluate(heard, { url: socketUrl(url), topic: 'space:2:*' }), ['error']);
    });

    test('is refused to pages of other origins that nobody has let in', async (t) => {
        const elsewhere = createServer((_, response) => {
            response.setHeader('content-type', 'text/html').end('<!doctype html><title>elsewhere</title>');
        });
        await once(elsewhere.listen(0, '127.0.0.1'), 'listening');
        t.after(() => elsewhere.close());
        const { port } = /** @type {import('node:net').AddressInfo} */ (elsewhere.address());
        const origin = `http://127.0.0.1:${port}`;
        const page = await browser.newPage();
        t.after(() => page.close());
        await page.goto(`${origin}/`);
        for (const { flags, expected } of [
            { flags: [], expected: ['closed'] },
            { flags: ['--cors-origins', origin], expected: ['ready'] },
        ]) {
            const server = await startServer({ flags });
            t.after(() => server.stop());
            const topic = 'space:1:*';
            assert.deepEqual(await page.evaluate(heard, { url: socketUrl(server.url), topic }), expected);
        }
    });
});

/**
 * Run in the browser: the first thing heard by who subscribes.
 *
 * @param {{ url: string, topic: string }} options
 * @returns {Promise<string[]>}
 */
function heard({ url, topic }) {
    return new Promise((resolve) => {
        const socket = new globalThis.WebSocket(url);
        socket.onopen = () => socket.send(JSON.stringify({ op: 'subscribe', sub: 1, topics: [topic] }));
        socket.onmessage = ({ data }) => {
            resolve([JSON.parse(data).kind]);
            socket.close();
        };
        socket.onclose = () => resolve(['closed']);
    });
}

/**
 * Opens a socket, and collects what it hears but for heartbeats.
 *
 * @param {TestContext} t
 * @param {string} url  The server's.
 */
async function open(t, url) {
    const socket = new WebSocket(socketUrl(url));
    t.after(() => socket.terminate());
    const messages = /** @type {Collected<any>} */ (new Collected());
    socket.on('message', (data) => {
        const message = JSON.parse(String(data));
        if (message.kind !== 'heartbeat') {
            messages.add(message);
        }
    });
    await once(socket, 'open', { signal: AbortSignal.timeout(TIMEOUT_MS) });
    let read = 0;
    /** @param {string} kind  Of a control message, or `event`. */
    const next = async (kind) => {
        read += 1;
        await messages.reach(read, TIMEOUT_MS);
        const message = messages.items[read - 1];
        assert.equal(message.kind ?? 'event', kind, JSON.stringify(message));
        return message;
    };
    return { socket, messages, next };
}

/**
 * @param {WebSocket} socket
 * @param {object} message
 */
function say(socket, message) {
    socket.send(JSON.stringify(message));
}

/**
 * What the library itself writes to.
 *
 * @param {WebSocket} socket
 * @returns {import('node:net').Socket}
 */
function wire(socket) {
    return /** @type {any} */ (socket)._socket;
}
