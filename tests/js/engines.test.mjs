/**
 * The package in each browser engine, on a page of the real server, and what it builds on there.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ENGINES, launch, reasonToSkip } from './lib/engines.mjs';
import { append } from './lib/events.mjs';
import { startServer } from './lib/server.mjs';
import { tabIn } from './lib/tab.mjs';

/** @import { Browser, Page } from './lib/engines.mjs' */
/** @import { Appended } from './lib/events.mjs' */
/** @import { Server } from './lib/server.mjs' */

const TIMEOUT_MS = 90_000;

for (const engine of ENGINES) {
    describe(engine, { skip: reasonToSkip(engine), timeout: TIMEOUT_MS }, () => {
        /** @type {Server} */
        let server;
        /** @type {Browser} */
        let browser;
        /** @type {Page} */
        let page;
        /** @type {Page} */
        let other;
        before(async () => {
            server = await startServer();
            ({ browser, page, other } = await opened(engine, server.url));
        });
        after(() => Promise.all([browser?.close(), server?.stop()]));

        test('pages are told what was appended before they came, and after', async () => {
            const earlier = await appendSome(server, 'engines:connect', [1, 2, 3]);
            for (const each of [page, other]) {
                await follow(each, 'engines:connect');
                await toldOf(each, 3);
            }
            const told = Promise.all([page, other].map((each) => toldOf(each, 5)));
            const later = await appendSome(server, 'engines:connect', [4, 5]);
            const all = expected([...earlier, ...later]);
            assert.deepEqual(await told, [all, all]);
        });

        test('a page goes on where it was when the server has died and is back', async () => {
            await follow(page, 'engines:resume');
            const earlier = await appendSome(server, 'engines:resume', [1, 2, 3]);
            await toldOf(page, 3);

            await server.kill();
            await hasStatus(page, 'backing_off');
            server = await startServer({ data: server.data, listen: new URL(server.url).host });
            const later = await appendSome(server, 'engines:resume', [4, 5]);
            await hasStatus(page, 'live');
            assert.deepEqual(await toldOf(page, 5), expected([...earlier, ...later]));
        });

        test('a page has what the tabs of an origin share a connection with', async () => {
            const has = await page.evaluate(() => ({
                secureContext: isSecureContext,
                locks: 'locks' in navigator,
                broadcast: 'BroadcastChannel' in globalThis,
                database: 'indexedDB' in globalThis,
                timeOrigin: performance.timeOrigin > 0,
            }));
            assert.deepEqual(has, { secureContext: true, locks: true, broadcast: true, database: true, timeOrigin: true });
        });

        test('a page reads an answer that is still coming', async () => {
            const first = await page.evaluate(async () => {
                const leave = new AbortController();
                const answer = await fetch('/v1/events?topic=engines:stream&after=earliest', {
                    headers: { accept: 'text/event-stream' },
                    signal: leave.signal,
                });
                const read = await answer.body?.getReader().read();
                leave.abort();
                return new TextDecoder().decode(read?.value);
            });
            assert.match(first, /^(event|id|data|retry):/m);
        });

        test('a page steals the lock of another, which is told', async () => {
            await hold(other, 'engines:stolen');
            const stolen = await page.evaluate(() =>
                navigator.locks.request('engines:stolen', { steal: true }, (lock) => lock?.name));
            assert.equal(stolen, 'engines:stolen');
            assert.equal(await other.evaluate(() => window.lost), 'AbortError');
        });

        test('a page gets the lock of another that closes', async () => {
            const leaving = await browser.open(`${server.url}/docs`);
            await hold(leaving, 'engines:left');
            const left = page.evaluate(() => navigator.locks.request('engines:left', (lock) => lock?.name));
            await leaving.close();
            assert.equal(await left, 'engines:left');
        });

        test('a page hears another', async () => {
            await page.evaluate(() => {
                window.heard = new Promise((resolve) => {
                    new BroadcastChannel('engines').onmessage = ({ data }) => resolve(data);
                });
            });
            await other.evaluate(() => new BroadcastChannel('engines').postMessage('over here'));
            assert.equal(await page.evaluate(() => window.heard), 'over here');
        });

        test('what a page stores is there for another, and after a reload', async () => {
            await page.evaluate(stored, 'kept');
            assert.equal(await other.evaluate(stored), 'kept');
            await page.reload();
            assert.equal(await page.evaluate(stored), 'kept');
        });

        test('tabs share a connection, and what one dispatches shows in both', async () => {
            const options = { name: 'shared', topics: ['engines:*'], stream: 'engines:shared' };
            const tabs = [await tabIn(page, options), await tabIn(other, options)];
            await Promise.all(tabs.map((tab) => tab.has({ status: 'live' })));
            const roles = await Promise.all(tabs.map((tab) => tab.role()));
            assert.deepEqual([...roles].sort(), ['follower', 'leader']);
            const streams = await Promise.all(tabs.map((tab) => tab.streams()));
            assert.deepEqual(streams, roles.map((role) => (role === 'leader' ? 1 : 0)));

            const follower = tabs[roles.indexOf('follower')];
            await follower?.dispatch(['shown', 'at once']);
            assert.deepEqual((await follower?.snapshot())?.state, ['shown', 'at once']);
            await Promise.all(tabs.map((tab) => tab.state(['shown', 'at once'])));
        });

        test('a reload shows what was stored, whether or not it led', async () => {
            const options = { name: 'shared', topics: ['engines:*'], stream: 'engines:shared' };
            await (await tabIn(other, options)).stored('engines:shared', 2);
            await page.reload();
            const reloaded = await tabIn(page, options);
            await reloaded.stands('restored', 'current');
            assert.deepEqual((await reloaded.snapshot())?.confirmed, ['shown', 'at once']);
            await reloaded.has({ status: 'live' });
            await reloaded.dispatch(['after']);
            await reloaded.state(['shown', 'at once', 'after']);
        });

        test('what goes wrong in a page is told', async () => {
            await assert.rejects(page.evaluate(async () => { throw new TypeError('on purpose'); }), /on purpose/);
        });
    });
}

/**
 * An engine with two pages, loaded once for all tests, as that is what takes time. They don't follow the server by themselves. WebKit's
 * MiniBrowser now and then crashes before it has shown anything: then it is started once more.
 *
 * @param {(typeof ENGINES)[number]} engine
 * @param {string} url
 */
async function opened(engine, url) {
    for (let starts = 1; ; starts += 1) {
        const browser = await launch(engine);
        try {
            return { browser, page: await browser.open(`${url}/docs`), other: await browser.open(`${url}/docs`) };
        } catch (error) {
            await browser.close().catch(() => {});
            if (starts > 1) throw error;
        }
    }
}

/**
 * Follows a stream from its first event instead of the one before, and keeps what is told of it in the page.
 *
 * @param {Page} page
 * @param {string} stream
 */
function follow(page, stream) {
    return page.evaluate(async (stream) => {
        const served = '/highwater/index.js';
        /** @type {typeof import('highwater')} */
        const { connect } = await import(served);
        window.following?.client.close();
        const client = connect({ topics: [stream], after: 'earliest', backoffMaxMs: 500 });
        /** @type {typeof window.following} */
        const following = { client, told: [], changed: new EventTarget() };
        const changed = () => following.changed.dispatchEvent(new Event('change'));
        client.on('event', ({ position, event }) => {
            following.told.push({ position, revision: event.revision, data: event.data });
            changed();
        });
        client.on('status', changed);
        window.following = following;
    }, stream);
}

/**
 * What the page has been told, once that is so many events.
 *
 * @param {Page} page
 * @param {number} count
 */
function toldOf(page, count) {
    return page.evaluate(async (count) => {
        const { told, changed } = window.following;
        while (told.length < count) {
            await new Promise((resolve) => changed.addEventListener('change', resolve, { once: true }));
        }
        return told;
    }, count);
}

/**
 * Waits until the page's client has this status.
 *
 * @param {Page} page
 * @param {import('highwater').Status} status
 */
function hasStatus(page, status) {
    return page.evaluate(async (status) => {
        const { client, changed } = window.following;
        while (client.stats().status !== status) {
            await new Promise((resolve) => changed.addEventListener('change', resolve, { once: true }));
        }
    }, status);
}

/**
 * Takes a lock and keeps it. How it is lost stays in the page.
 *
 * @param {Page} page
 * @param {string} name
 */
function hold(page, name) {
    return page.evaluate((name) =>
        new Promise((resolve) => {
            const lost = navigator.locks.request(name, () => {
                resolve(name);
                return new Promise(() => {});
            });
            window.lost = lost.then(String, (error) => error.name);
        }), name);
}

/**
 * Runs in a page: what its origin has stored, after storing what is given.
 *
 * @param {string} [value]
 */
async function stored(value) {
    /**
     * @template T
     * @param {IDBRequest<T>} request
     * @returns {Promise<T>}
     */
    const done = (request) =>
        new Promise((resolve, reject) => {
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
        });
    const opening = indexedDB.open('engines');
    opening.onupgradeneeded = () => opening.result.createObjectStore('values');
    const database = await done(opening);
    const values = database.transaction('values', 'readwrite').objectStore('values');
    if (value !== undefined) {
        await done(values.put(value, 'only'));
    }
    return done(values.get('only'));
}

/**
 * @param {Server} server
 * @param {string} stream
 * @param {number[]} numbers
 */
async function appendSome({ url }, stream, numbers) {
    const appended = [];
    for (const number of numbers) {
        appended.push(await append(url, stream, number));
    }
    return appended;
}

/** @param {Appended[]} appended */
function expected(appended) {
    return appended.map(({ position, revision, number }) => ({ position, revision, data: { number } }));
}
