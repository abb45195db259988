/**
 * An entity on a device, in real Chromium against the real server: what a user asks of it is stored, shows after a reload, is decided again on
 * top of what came first, and is recorded once.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { launch, reasonToSkip } from './lib/engines.mjs';
import { startOrigin } from './lib/origin.mjs';
import { give } from './lib/pages.mjs';
import { startServer } from './lib/server.mjs';

/** @import { Browser, Page } from './lib/engines.mjs' */
/** @import { Server } from './lib/server.mjs' */

const TASK = 'space:1:tasks:task-abc';

describe('an entity on a device', { skip: reasonToSkip('chromium'), timeout: 60_000 }, () => {
    /** @type {Server} */
    let server;
    /** @type {Browser} */
    let browser;
    before(async () => {
        server = await startServer();
        browser = await launch('chromium');
    });
    after(() => Promise.all([browser?.close(), server?.stop()]));

    test('a command survives a reload, and what came first', async () => {
        await give(server.url, 'task', TASK, { type: 'generate_code', data: { code: 'x' }, source: 'generator' });
        let release = () => {};
        const held = new Promise((resolve) => (release = () => resolve(undefined)));
        const origin = await startOrigin(server.url, { before: () => held });
        try {
            const page = await browser.open(`${origin.url}/docs`);
            await page.evaluate(follow, TASK);
            await shows(page, { status: 'current', bugs: [] });
            await page.evaluate(() => void window.task.store.dispatch({ type: 'report_bug', data: { bug: 'mine' } }));
            await shows(page, { status: 'current', bugs: ['mine'] });
            await give(server.url, 'task', TASK, { type: 'report_bug', data: { bug: 'theirs' }, source: 'tester' });
            await shows(page, { status: 'current', bugs: ['theirs', 'mine'] });
            await page.evaluate(stored);
            await page.reload();
            // The first request is still held: the same command is sent anew.
            await page.evaluate(follow, TASK);
            await page.evaluate(async () => {
                const { store, changed } = window.task;
                while (store.getSnapshot().revision < 3 || store.getSnapshot().intents.length > 0) {
                    await new Promise((resolve) => changed.addEventListener('change', resolve, { once: true }));
                }
            });
            const seen = await page.evaluate(() => window.task.seen);
            assert.ok(seen.includes('restored theirs,mine'), `it showed at once what was stored: ${seen}`);
            assert.ok(seen.filter((shown) => !shown.startsWith('loading')).every((shown) => shown.endsWith('theirs,mine')), `and never anything else: ${seen}`);
        } finally {
            release();
            await origin.stop();
        }
        const { events } = await (await fetch(`${server.url}/v1/streams/${TASK}`)).json();
        assert.deepEqual(
            events.map((/** @type {{ type: string }} */ { type }) => type),
            ['task.code_generated.v1', 'task.bug_report_received.v1', 'task.bug_report_received.v1'],
        );
    });
});

/**
 * Resolves once the page shows this.
 *
 * @param {Page} page
 * @param {{ status: string, bugs: string[] }} wanted
 */
function shows(page, wanted) {
    return page.evaluate(async (wanted) => {
        const { changed, seen } = window.task;
        while (seen.at(-1) !== wanted) {
            await new Promise((resolve) => changed.addEventListener('change', resolve, { once: true }));
        }
    }, `${wanted.status} ${wanted.bugs}`);
}

/**
 * Runs in the page.
 *
 * @param {string} stream
 */
async function follow(stream) {
    const [client, entities] = ['/highwater/index.js', '/highwater/domain.js'];
    /** @type {typeof import('highwater')} */
    const { connect } = await import(client);
    /** @type {typeof import('highwater/domain')} */
    const { domain } = await import(entities);
    /** @type {import('highwater').EntityStore<import('highwater/domain').TaskState, import('highwater/domain').TaskCommand>} */
    const store = connect({ name: 'entity', topics: ['space:1:**'], domain }).entity('task', stream);
    const changed = new EventTarget();
    /** @type {string[]} */
    const seen = [];
    const see = () => {
        const { status, state } = store.getSnapshot();
        seen.push(`${status} ${state.pending_bugs.map(({ bug }) => bug)}`);
        changed.dispatchEvent(new Event('change'));
    };
    window.task = { store, changed, seen };
    store.subscribe(see);
    see();
}

/** Runs in the page: resolves once the device has stored the state as it is confirmed. */
async function stored() {
    const { store } = window.task;
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
    const [{ name = '' } = {}] = await indexedDB.databases();
    for (let revision = 0; revision !== store.getSnapshot().revision; ) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        const database = await done(indexedDB.open(name));
        const state = await done(database.transaction('states').objectStore('states').get(`${store.stream} task 1`));
        database.close();
        revision = state?.confirmed.revision;
    }
}
