/**
 * What the tabs of a device dispatch and store, in real Chromium against the real server.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { deviceOfSuite } from './lib/device.mjs';
import { reasonToSkip } from './lib/engines.mjs';
import { append } from './lib/events.mjs';
import { startOrigin } from './lib/origin.mjs';
import { startServer } from './lib/server.mjs';
import { tabIn } from './lib/tab.mjs';

describe('what a device stores and sends', { skip: reasonToSkip('chromium'), timeout: 150_000 }, () => {
    const device = deviceOfSuite();

    test('a tab that hangs in the middle of a transaction keeps nobody from leading, and from writing', async () => {
        const options = { name: 'hung', topics: ['hung:*'], stream: 'hung:a' };
        const [leader, other, hung] = await device.openLive(options, options, options);
        await hung.holdDatabase();
        await device.close(leader);
        await other.has({ role: 'leader' });
        await other.dispatch([1]);
        await Promise.all([other.state([1]), hung.state([1])]);
        assert.deepEqual(await other.notices(), []);
    });

    test('what a follower dispatches shows in all tabs, and is recorded once', async () => {
        const [one, two] = [await device.open({ name: 'write', topics: ['write:*'], stream: 'write:a' }), await device.open({ name: 'write', topics: ['write:*'], stream: 'write:a' })];
        await Promise.all([one.has({ status: 'live' }), two.has({ status: 'live' })]);
        await two.dispatch([1, 2, 3]);
        await Promise.all([one.state([1, 2, 3]), two.state([1, 2, 3])]);
        const { events } = await (await fetch(`${device.url}/v1/streams/write:a`)).json();
        assert.deepEqual(events.map((/** @type {any} */ event) => event.data), [1, 2, 3]);
        assert.equal(new Set(events.map((/** @type {any} */ event) => event.source)).size, 1, 'the device is one actor');
    });

    test('a reload without the server shows the last true state, keeps what was dispatched, and goes on from there', async () => {
        let other = await startServer();
        const listen = new URL(other.url).host;
        const origin = await startOrigin(other.url);
        try {
            const tab = await device.open({ name: 'reload', topics: ['reload:*'], stream: 'reload:a' }, origin.url);
            await tab.has({ status: 'live' });
            await tab.dispatch([1, 2]);
            await tab.state([1, 2]);
            await tab.stored('reload:a', 2);
            await other.kill();
            await tab.has({ status: 'backing_off' });
            const ids = await tab.dispatch([3, 4]);
            const shown = { status: 'restored', state: [1, 2, 3, 4], confirmed: [1, 2], stages: ['pending', 'pending'], ids };
            for (let reload = 0; reload < 2; reload += 1) {
                await tab.stored('intents', 2);
                await tab.page.reload();
                await tab.follow();
                await tab.stands('restored');
                const { status, state, confirmed, intents } = await tab.snapshot();
                assert.deepEqual({ status, state, confirmed, stages: intents.map(({ stage }) => stage), ids: intents.map(({ id }) => id) }, shown);
            }
            other = await startServer({ data: other.data, listen });
            await tab.state([1, 2, 3, 4]);
            const { events } = await (await fetch(`${other.url}/v1/streams/reload:a`)).json();
            assert.deepEqual(events.slice(2).map((/** @type {any} */ event) => event.id), ids, 'with the same ids, once');
            const [epoch] = (await tab.stats()).cursor.split('-');
            await tab.caughtUp(`${epoch}-${Number(events.at(-1).sequence)}`);
            assert.deepEqual(await tab.told(), ['reload:a 3', 'reload:a 4'], 'from the cursor that was stored');
            await tab.stands('current');
            assert.deepEqual([(await tab.snapshot()).intents, await tab.notices()], [[], []]);
        } finally {
            await Promise.all([origin.stop(), other.stop()]);
        }
    });

    test('a cursor of topics that nobody follows any more is forgotten, and no other', async () => {
        const [left] = await device.openLive({ name: 'cursors', topics: ['cursors:left'] });
        await left.cursors('cursors:left');
        const used = await tabIn(left.page, { name: 'cursors', topics: ['cursors:used'] });
        await used.has({ status: 'live' });
        await used.cursors('cursors:left', 'cursors:used');
        await used.close();
        await used.ageCursors();
        const { position } = await append(device.url, 'cursors:used', 1);
        await used.follow();
        await used.caughtUp(position);
        assert.deepEqual(await used.told(), ['cursors:used 1'], 'it went on from there');
        await used.cursors('cursors:used');
    });

    test('a database that is deleted is told once, and what is known is stored again', async () => {
        const tab = await device.open({ name: 'deleted', topics: ['deleted:*'], stream: 'deleted:a' });
        await tab.has({ status: 'live' });
        await tab.dispatch([1]);
        await tab.state([1]);
        await tab.stored('deleted:a', 1);
        await tab.deleteDatabase();
        await tab.dispatch([2]);
        await tab.state([1, 2]);
        await tab.stored('deleted:a', 2);
        assert.deepEqual((await tab.notices()).map(([kind]) => kind), ['storage']);
        assert.equal((await tab.stats()).status, 'live');
    });

    test('a database that is broken is one event and a fresh start', async () => {
        const tab = await device.open({ name: 'broken', topics: ['broken:*'], stream: 'broken:a' });
        await tab.has({ status: 'live' });
        await tab.dispatch([1]);
        await tab.stored('broken:a', 1);
        await tab.close();
        await tab.breakDatabase();
        await tab.follow();
        await tab.state([1]);
        await tab.stored('broken:a', 1);
        assert.deepEqual((await tab.notices()).map(([kind]) => kind), ['storage']);
    });

    test('what is dispatched just before a tab closes is not lost', async () => {
        const [one, two] = [await device.open({ name: 'last', topics: ['last:*'], stream: 'last:a' }), await device.open({ name: 'last', topics: ['last:*'], stream: 'last:a' })];
        await Promise.all([one.has({ status: 'live' }), two.has({ status: 'live' })]);
        await two.dispatchAndClose('goodbye');
        await one.state(['goodbye']);
    });

    test('what becomes of a stream where something else came first, all tabs are told', async () => {
        /** @param {string} data */
        const theirs = (data) =>
            fetch(`${device.url}/v1/streams/conflict:a`, {
                method: 'POST',
                headers: { 'content-type': 'application/cloudevents+json' },
                body: JSON.stringify({ specversion: '1.0', source: 'somebody', type: 'tab.said.v1', data }),
            });
        const origin = await startOrigin(device.url, { before: () => theirs('mine too') });
        try {
            const options = { name: 'conflict', topics: ['conflict:*'], stream: 'conflict:a' };
            const [leader, follower] = [await device.open(options, origin.url), await device.open(options, origin.url)];
            await theirs('first');
            await Promise.all([leader, follower].map((tab) => tab.has({ status: 'live' })));
            await Promise.all([leader, follower].map((tab) => tab.state(['first'])));
            assert.deepEqual(await follower.dispatchIf(['mine', 'mine too', 'more']), ['fulfilled', 'rejected', 'fulfilled']);
            const all = ['first', 'mine too', 'mine', 'more'];
            await Promise.all([leader, follower].map((tab) => tab.state(all)));
            for (const tab of [leader, follower]) {
                const { state, intents } = await tab.snapshot();
                assert.deepEqual([state, intents], [all, []]);
            }
        } finally {
            await origin.stop();
        }
    });

    test('a conflict is not left over by the tab that knew what to make of it, nor by the leader', async () => {
        const origin = await startOrigin(device.url, { before: () => append(device.url, 'left:a', 1) });
        try {
            const options = { name: 'left', topics: ['left:*'], connectTimeoutMs: 1_000 };
            const leader = await device.open(options, origin.url);
            await leader.has({ role: 'leader', status: 'live' });
            const next = await device.open(options, origin.url);
            await next.has({ role: 'follower', status: 'live' });
            const meant = await device.open({ ...options, stream: 'left:a' }, origin.url);
            await meant.has({ status: 'live' });
            await meant.stands('current');
            await next.listenFor('answered');
            await next.page.evaluate(keepRefusal);
            await meant.dispatchAndClose('mine', true);
            await next.heard();
            await device.close(leader);
            assert.equal(await next.page.evaluate(() => window.refusal), 412);
            await next.stored('intents', 1); // That it was refused, for tabs that have not heard.
        } finally {
            await origin.stop();
        }
    });
});

/** Runs in a page: from now on it keeps with which status the server refuses an intent. */
function keepRefusal() {
    window.refusal = new Promise((resolve) => {
        window.tab.client.on('refused', ({ error }) => resolve(/** @type {import('highwater').HighwaterError} */ (error).status));
    });
}
