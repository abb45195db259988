/**
 * The tabs of a device, in real Chromium against the real server: one connection for all of them, whoever leads.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { deviceOfSuite } from './lib/device.mjs';
import { reasonToSkip } from './lib/engines.mjs';
import { append } from './lib/events.mjs';
import { startOrigin } from './lib/origin.mjs';
import { slowLocks } from './lib/tab.mjs';

/** @import { Tab, TabOptions } from './lib/tab.mjs' */

describe('a device', { skip: reasonToSkip('chromium'), timeout: 150_000 }, () => {
    const device = deviceOfSuite();

    test('tabs share one connection, and each has its own topics', async () => {
        const [one, two] = await device.openLive({ name: 'share', topics: ['share:a', 'share:b'] }, { name: 'share', topics: ['share:b', 'share:c'] });
        assert.deepEqual([await one.role(), await two.role()], ['leader', 'follower']);
        for (const stream of ['share:a', 'share:b', 'share:c']) {
            await append(device.url, stream, 1);
        }
        const last = await append(device.url, 'share:b', 2);
        await Promise.all([one.caughtUp(last.position), two.caughtUp(last.position)]);
        assert.deepEqual(await one.told(), ['share:a 1', 'share:b 1', 'share:b 2']);
        assert.deepEqual(await two.told(), ['share:b 1', 'share:c 1', 'share:b 2']);
        assert.deepEqual([await one.streams(), await two.streams()], [1, 0]);
    });

    test('a tab that comes later reads what it missed, and is live', async () => {
        await append(device.url, 'later:a', 1);
        /** @type {TabOptions} */
        const options = { name: 'later', topics: ['later:*'], after: 'earliest' };
        const [, two] = await device.openLive(options, options);
        const last = await append(device.url, 'later:b', 1);
        await two.caughtUp(last.position);
        assert.deepEqual(await two.told(), ['later:a 1', 'later:b 1']);
    });

    test('a tab that comes before the leader knows where it is needs no other connection', async () => {
        let speak = () => {};
        const origin = await startOrigin(device.url, { speaks: new Promise((resolve) => (speak = () => resolve(undefined))) });
        try {
            const options = { name: 'early', topics: ['early:*'] };
            const page = await device.page(origin.url);
            const leader = await device.open(options, origin.url);
            await leader.has({ role: 'leader', status: 'replaying' });
            const other = await device.openIn(page, options);
            // So it has been answered.
            await other.has({ role: 'follower', status: 'replaying' });
            speak();
            await Promise.all([leader, other].map((tab) => tab.has({ status: 'live' })));
            await other.caughtUp((await append(device.url, 'early:a', 1)).position);
            assert.deepEqual([await other.told(), origin.streams()], [['early:a 1'], 1]);
        } finally {
            await origin.stop();
        }
    });

    test('a tab is not live before it is given what is of its topics', async () => {
        let bringPages = () => {};
        const origin = await startOrigin(device.url, { pages: new Promise((resolve) => (bringPages = () => resolve(undefined))) });
        try {
            const leader = await device.open({ name: 'given', topics: ['given:a', 'given:b'] }, origin.url);
            await leader.has({ role: 'leader', status: 'live' });
            // It waits for word of the server whether its topics are good.
            const other = await device.open({ name: 'given', topics: ['given:c'] }, origin.url);
            await other.has({ role: 'follower' });
            await other.listenFor('live');
            await leader.page.evaluate(() => window.tab.client.remove('given:b'));
            await other.heard();
            assert.equal((await other.stats()).status, 'connecting');
            bringPages();
            await other.has({ status: 'live' });
            await other.caughtUp((await append(device.url, 'given:c', 1)).position);
            assert.deepEqual(await other.told(), ['given:c 1']);
        } finally {
            await origin.stop();
        }
    });

    test('a tab whose locks are slow is not taken for gone', async () => {
        const options = { name: 'locks', topics: ['locks:*'] };
        await device.openLive(options);
        const page = await device.page();
        await slowLocks(page, 300);
        const other = await device.openIn(page, options);
        await other.has({ status: 'live' });
        await other.caughtUp((await append(device.url, 'locks:a', 1)).position);
        assert.deepEqual(await other.told(), ['locks:a 1']);
    });

    test('when the leader closes another leads, and nobody loses anything', async () => {
        const options = { name: 'close', topics: ['close:*'] };
        const [leader, ...others] = await device.openLive(options, options, options);
        await append(device.url, 'close:a', 1);
        await device.close(leader);
        const last = await append(device.url, 'close:a', 2);
        await Promise.all(others.map((tab) => tab.caughtUp(last.position)));
        const roles = await Promise.all(others.map((tab) => tab.role()));
        assert.deepEqual(roles.sort(), ['follower', 'leader']);
        assert.deepEqual(await Promise.all(others.map((tab) => tab.told())), [['close:a 1', 'close:a 2'], ['close:a 1', 'close:a 2']]);
    });

    test('a leader that hears nothing any more loses the lock', async () => {
        const [leader, other] = await device.openLive({ name: 'frozen', topics: ['frozen:*'] }, { name: 'frozen', topics: ['frozen:*'] });
        // It does nothing, and doesn't let go either.
        const busy = leader.block('busy:until');
        await other.has({ role: 'leader' });
        const last = await append(device.url, 'frozen:a', 1);
        await other.caughtUp(last.position);
        await append(device.url, 'busy:until', 1);
        await busy;
        await leader.has({ role: 'follower' });
        await leader.caughtUp((await append(device.url, 'frozen:a', 2)).position);
        assert.deepEqual([await leader.told(), await other.told()], [['frozen:a 1', 'frozen:a 2'], ['frozen:a 1', 'frozen:a 2']]);
    });

    test('a leader that is frozen lets another lead, and follows when it is not any more', async () => {
        const [leader, other] = await device.openLive({ name: 'freeze', topics: ['freeze:*'] }, { name: 'freeze', topics: ['freeze:*'] });
        await leader.lifecycle('freeze');
        await other.has({ role: 'leader', status: 'live' });
        const stood = await other.stood();
        const since = stood.slice(stood.lastIndexOf('follower live') + 1);
        assert.deepEqual(since, ['follower connecting', 'leader connecting', 'leader replaying', 'leader live'], 'it is live by a connection of its own');
        await append(device.url, 'freeze:a', 1);
        await leader.lifecycle('resume');
        const last = await append(device.url, 'freeze:a', 2);
        await Promise.all([leader.caughtUp(last.position), other.caughtUp(last.position)]);
        assert.deepEqual([await leader.role(), await leader.streams(), await other.streams()], ['follower', 0, 1]);
        assert.deepEqual([await leader.told(), await leader.notices()], [['freeze:a 1', 'freeze:a 2'], []]);
    });

    test('what is said under a lower term is not heeded', async () => {
        const [leader, other] = await device.openLive({ name: 'term', topics: ['term:*'] }, { name: 'term', topics: ['term:*'] });
        const { position, sequence } = await append(device.url, 'term:a', 1);
        await other.caughtUp(position);
        const [epoch] = position.split('-');
        const event = { subject: 'term:b', sequence: `${sequence + 1}`.padStart(16, '0'), revision: 1, version: 0 };
        const frame = `id: ${epoch}-${sequence + 1}\nprev: ${sequence}\ndata: ${JSON.stringify(event)}\n\n`;
        // The first leader's term and connection are the first.
        await leader.sayFrames(frame, 1, 0);
        await leader.sayFrames(frame, 1, 1);
        await other.caughtUp(`${epoch}-${sequence + 1}`);
        assert.deepEqual(await other.told(), ['term:a 1', 'term:b 1']);
        assert.equal((await other.stats()).duplicate, 0, 'it was heeded once');
    });

    test('a tab whose topics the server refuses fails, and no other', async () => {
        const sound = await device.open({ name: 'refused', topics: ['refused:*'] });
        await sound.has({ status: 'live' });
        const bad = await device.open({ name: 'refused', topics: ['refused::x'] });
        await bad.has({ status: 'failed' });
        await sound.caughtUp((await append(device.url, 'refused:a', 1)).position);
        assert.deepEqual([await sound.told(), (await sound.stats()).status], [['refused:a 1'], 'live']);
    });

    test('topics that a follower adds and removes cost nobody their place', async () => {
        const [one, two] = await device.openLive({ name: 'topics', topics: ['topics:a'] }, { name: 'topics', topics: ['topics:b'] });
        await append(device.url, 'topics:c', 1);
        await two.add('topics:c', 'earliest');
        await append(device.url, 'topics:a', 1);
        await append(device.url, 'topics:b', 1);
        const last = await append(device.url, 'topics:c', 2);
        await Promise.all([one.caughtUp(last.position), two.caughtUp(last.position)]);
        assert.deepEqual([await one.told(), await two.told()], [['topics:a 1'], ['topics:c 1', 'topics:b 1', 'topics:c 2']]);
        assert.equal(await one.streams(), 1);
    });

    test('a tab that missed where a connection begins asks again', async () => {
        const [one, two] = await device.openLive({ name: 'missed', topics: ['missed:a'] }, { name: 'missed', topics: ['missed:b'] });
        await one.saysNo('began');
        await one.add('missed:c', 'latest');
        await two.caughtUp((await append(device.url, 'missed:b', 1)).position);
        assert.deepEqual([await two.told(), (await two.stats()).status], [['missed:b 1'], 'live']);
    });

    test('a tab whose topics find no room has a connection of its own, and is of the device all the same', async () => {
        const many = (/** @type {string} */ space) => Array.from({ length: 40 }, (_, at) => `${space}:${at}`);
        const one = await device.open({ name: 'room', topics: many('one') });
        await one.has({ status: 'live' });
        const two = await device.open({ name: 'room', topics: many('two'), stream: 'two:1' });
        await two.has({ role: 'alone', status: 'live' });
        await two.dispatch(['mine']);
        await two.state(['mine']);
        await two.add('two:more', 'latest');
        await two.caughtUp((await append(device.url, 'two:more', 1)).position);
        assert.deepEqual([await two.told(), (await one.stats()).status], [['two:1 1', 'two:more 1'], 'live']);

        // The other is gone: this one leads, and has room.
        await one.close();
        await two.has({ role: 'leader', status: 'live' });
        await two.dispatch(['more']);
        await two.state(['mine', 'more']);
    });

    /**
     * The first of them reads nothing, and the other has all at once.
     *
     * @param {Tab} slow
     * @param {Tab} other
     * @param {string} stream
     */
    async function readSlowly(slow, other, stream) {
        await slow.iterate();
        const lines = [];
        for (let number = 1; number <= 20; number += 1) {
            const { position } = await append(device.url, stream, number);
            await other.caughtUp(position);
            lines.push(`${stream} ${number}`);
        }
        assert.deepEqual([await other.told(), await slow.role()], [lines, 'leader']);
        assert.ok((await slow.told()).length < lines.length);
        assert.deepEqual(await slow.takes(20), lines);
        assert.deepEqual([await slow.told(), (await slow.stats()).held], [lines, 0]);
    }

    test('a leader that reads nothing keeps nobody waiting', async () => {
        const [slow, other] = await device.openLive({ name: 'slow', topics: ['slow:*'], bufferEventsMax: 4 }, { name: 'slow', topics: ['slow:*'] });
        await readSlowly(slow, other, 'slow:a');
    });

    test('a leader that reads nothing keeps nobody waiting, where it has to poll', async () => {
        const origin = await startOrigin(device.url, { speaks: new Promise(() => {}) });
        try {
            const options = { name: 'polls', topics: ['polls:*'], connectTimeoutMs: 500 };
            const slow = await device.open({ ...options, bufferEventsMax: 4 }, origin.url);
            await slow.has({ status: 'live' });
            const other = await device.open(options, origin.url);
            await other.has({ status: 'live' });
            await readSlowly(slow, other, 'polls:a');
        } finally {
            await origin.stop();
        }
    });

    test('a worker is of the device, too', async () => {
        const origin = await startOrigin(device.url);
        try {
            const tab = await device.open({ name: 'worker', topics: ['worker:*'] }, origin.url);
            await tab.has({ role: 'leader', status: 'live' });
            await tab.page.evaluate(startWorker);
            await append(device.url, 'worker:a', 1);
            const told = await tab.page.evaluate(() => window.heard);
            assert.deepEqual(told, { role: 'follower', line: 'worker:a 1' });
        } finally {
            await origin.stop();
        }
    });
});

/** Runs in a page: resolves once a worker of the same device is live, and keeps what that hears first. */
async function startWorker() {
    const source = `
        import { connect } from '${location.origin}/highwater/index.js';
        const client = connect({ url: '${location.origin}', name: 'worker', topics: ['worker:*'] });
        client.on('status', ({ status }) => status === 'live' && postMessage('live'));
        client.on('event', ({ event }) => postMessage({ role: client.role, line: event.subject + ' ' + event.revision }));
    `;
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })), { type: 'module' });
    const hears = () =>
        new Promise((resolve, reject) => {
            worker.addEventListener('message', ({ data }) => resolve(data), { once: true });
            worker.addEventListener('error', ({ message }) => reject(new Error(message)), { once: true });
        });
    await hears();
    window.heard = hears();
}
