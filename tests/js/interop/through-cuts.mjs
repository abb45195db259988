/**
 * Sixty events, read through a network that breaks every 300 ms, while they are appended.
 */

import assert from 'node:assert/strict';

import { startCuttingProxy } from '../lib/cutting-proxy.mjs';
import { Collected, Writer } from '../lib/events.mjs';

const EVENTS = 60;
const EVENTS_AT_A_TIME = 5;
const CUT_AFTER_MS = 300;
const CUTS_MIN = 4;
// Chromium waits 3 s before it connects again, some six times.
const TIMEOUT_MS = 45_000;
export const SUITE_TIMEOUT_MS = 2 * TIMEOUT_MS;

/**
 * Lets a client read all there is, from `origin` on, until it has `received` as many events as were appended.
 *
 * @param {object} options
 * @param {import('../lib/server.mjs').Server} options.server
 * @param {string} options.space  Names the streams, apart from other tests'.
 * @param {Collected<unknown>} options.received
 * @param {(origin: string, topic: string) => Promise<() => unknown>} options.open  Gives what closes the client.
 */
export async function throughCuts({ server, space, received, open }) {
    const writer = new Writer({ url: server.url, space, total: EVENTS });
    /** @type {Collected<void>} */
    const cuts = new Collected();
    await writer.write(EVENTS_AT_A_TIME);

    const writeMore = () => void writer.write(EVENTS_AT_A_TIME);
    const proxy = await startCuttingProxy({
        target: server.url,
        cutAfterMs: CUT_AFTER_MS,
        // While history is on its way, and while the client is away.
        onRequest: writeMore,
        onCut: () => {
            cuts.add();
            writeMore();
        },
    });
    const close = await open(proxy.url, writer.topic);
    try {
        await received.reach(EVENTS, TIMEOUT_MS);
        // Were the last event given again after the next cut, it would come before one more.
        await cuts.reach(cuts.items.length + 1, TIMEOUT_MS);
        await writer.writeOne(EVENTS + 1);
        await received.reach(EVENTS + 1, TIMEOUT_MS);
    } finally {
        await close();
        await proxy.close();
    }
    assert.ok(cuts.items.length >= CUTS_MIN, `${cuts.items.length} cuts`);
    return { appended: writer.appended, requests: proxy.requests };
}
