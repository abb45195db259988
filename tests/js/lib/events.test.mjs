/**
 * Waiting for what a client is given.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Collected } from './events.mjs';

/** Long for a test, if it were waited for. */
const LONG_MS = 600_000;

test('what is there already is not waited for, and nothing fails later', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    /** @type {unknown[]} */
    const rejections = [];
    const note = (/** @type {unknown} */ reason) => rejections.push(reason);
    process.on('unhandledRejection', note);
    t.after(() => process.off('unhandledRejection', note));
    const collected = new Collected();
    collected.add(1);
    await collected.reach(1, LONG_MS);
    t.mock.timers.tick(LONG_MS);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(rejections, []);
});

test('what comes later is waited for', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const collected = new Collected();
    const reached = collected.reach(2, LONG_MS);
    collected.add(1);
    collected.add(2);
    await reached;
    t.mock.timers.tick(LONG_MS);
});

test('what does not come in time is told', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const collected = new Collected();
    collected.add(1);
    const reached = collected.reach(2, LONG_MS);
    t.mock.timers.tick(LONG_MS);
    await assert.rejects(reached, /only 1 of 2 came within 600000 ms/);
});
