/**
 * The tabs of a device, in real Chromium against the real server: one connection for all of them, whoever leads, and what is stored.
 */

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { launch, reasonToSkip } from './lib/engines.mjs';
import { append } from './lib/events.mjs';
import { startServer } from './lib/server.mjs';
import { openTab } from './lib/tab.mjs';

/** @import { Browser } from './lib/engines.mjs' */
/** @import { Server } from './lib/server.mjs' */
/** @import { Tab, TabOptions } from './lib/tab.mjs' */

describe('a device', { skip: reasonToSkip('chromium'), timeout: 60_000 }, () => {
    /** @type {Server} */
    let server;
    /** @type {Browser} */
    let browser;
    /** @type {Tab[]} */
    let tabs = [];
    before(async () => {
        server = await startServer();
        browser = await launch('chromium');
    });
    after(() => Promise.all([browser?.close(), server?.stop()]));
    beforeEach(async () => {
        await Promise.all(tabs.map((tab) => tab.page.close()));
        tabs = [];
    });

    /** @param {TabOptions} options */
    async function open(options) {
        const tab = await openTab(browser, server.url, options);
        tabs.push(tab);
        return tab;
    }

    test('tabs share one connection, and each has its own topics', async () => {
        const [one, two] = [await open({ name: 'share', topics: ['share:a', 'share:b'] }), await open({ name: 'share', topics: ['share:b', 'share:c'] })];
        await Promise.all([one.has({ status: 'live' }), two.has({ status: 'live' })]);
        assert.deepEqual([await one.role(), await two.role()], ['leader', 'follower']);
        for (const stream of ['share:a', 'share:b', 'share:c']) {
            await append(server.url, stream, 1);
        }
        const last = await append(server.url, 'share:b', 2);
        await Promise.all([one.caughtUp(last.position), two.caughtUp(last.position)]);
        assert.deepEqual(await one.told(), ['share:a 1', 'share:b 1', 'share:b 2']);
        assert.deepEqual(await two.told(), ['share:b 1', 'share:c 1', 'share:b 2']);
        assert.deepEqual([await one.streams(), await two.streams()], [1, 0]);
    });

    test('a tab that comes later reads what it missed, and is live', async () => {
        await append(server.url, 'later:a', 1);
        const one = await open({ name: 'later', topics: ['later:*'], after: 'earliest' });
        await one.has({ status: 'live' });
        const two = await open({ name: 'later', topics: ['later:*'], after: 'earliest' });
        await two.has({ status: 'live' });
        const last = await append(server.url, 'later:b', 1);
        await two.caughtUp(last.position);
        assert.deepEqual(await two.told(), ['later:a 1', 'later:b 1']);
    });

    test('when the leader closes another leads, and nobody loses anything', async () => {
        const all = [];
        for (let at = 0; at < 3; at += 1) {
            all.push(await open({ name: 'close', topics: ['close:*'] }));
        }
        await Promise.all(all.map((tab) => tab.has({ status: 'live' })));
        await append(server.url, 'close:a', 1);
        const [leader, ...others] = all;
        await leader?.page.close();
        tabs = others;
        const last = await append(server.url, 'close:a', 2);
        await Promise.all(others.map((tab) => tab.caughtUp(last.position)));
        const roles = await Promise.all(others.map((tab) => tab.role()));
        assert.deepEqual(roles.sort(), ['follower', 'leader']);
        assert.deepEqual(await Promise.all(others.map((tab) => tab.told())), [['close:a 1', 'close:a 2'], ['close:a 1', 'close:a 2']]);
    });

    test('a leader that hears nothing any more loses the lock', async () => {
        const leader = await open({ name: 'frozen', topics: ['frozen:*'] });
        await leader.has({ status: 'live' });
        const other = await open({ name: 'frozen', topics: ['frozen:*'] });
        await other.has({ status: 'live' });
        // It does nothing, and doesn't let go either.
        const busy = leader.block(6_000);
        await other.has({ role: 'leader' });
        const last = await append(server.url, 'frozen:a', 1);
        await other.caughtUp(last.position);
        await busy;
        await leader.has({ role: 'follower' });
        await leader.caughtUp((await append(server.url, 'frozen:a', 2)).position);
        assert.deepEqual([await leader.told(), await other.told()], [['frozen:a 1', 'frozen:a 2'], ['frozen:a 1', 'frozen:a 2']]);
    });

    test('what a follower dispatches shows in all tabs, and is recorded once', async () => {
        const [one, two] = [await open({ name: 'write', topics: ['write:*'], stream: 'write:a' }), await open({ name: 'write', topics: ['write:*'], stream: 'write:a' })];
        await Promise.all([one.has({ status: 'live' }), two.has({ status: 'live' })]);
        await two.dispatch([1, 2, 3]);
        await Promise.all([one.state([1, 2, 3]), two.state([1, 2, 3])]);
        const { events } = await (await fetch(`${server.url}/v1/streams/write:a`)).json();
        assert.deepEqual(events.map((/** @type {any} */ event) => event.data), [1, 2, 3]);
        assert.equal(new Set(events.map((/** @type {any} */ event) => event.source)).size, 1, 'the device is one actor');
    });

    test('an offline reload shows the last true state, keeps what was dispatched, and goes on from there', async () => {
        const before = await startServer();
        const tab = await openTab(browser, server.url, { name: 'reload', topics: ['reload:*'], stream: 'reload:a', url: before.url });
        tabs.push(tab);
    });
});
