/**
 * An HTTP proxy that is a bad network to event streams: it delays, repeats and reorders whole frames, and cuts in the middle of one.
 * Pages of JSON it only cuts. It knows which event streams are open.
 */

import { EventEmitter, once } from 'node:events';
import { createServer, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { Random } from './random.mjs' */

/** One frame in so many, on average. */
const DELAYED = 60;
const DELAY_MS_MAX = 60;
const REPEATED = 30;
const REORDERED = 50;
/** A frame is overtaken by as many others at most, or by none for so long. */
const OVERTAKEN_MAX = 5;
const HELD_BACK_MS = 50;
const CUT = 500;
/** One page in so many. */
const PAGE_CUT = 30;

/**
 * @typedef {object} OpenCount
 * @property {number} at  When it became that, in milliseconds since 1970.
 * @property {number} open  How many event streams are open, as the browser sees it.
 */

/**
 * Stands before `target`, also while nothing listens there.
 *
 * @param {object} options
 * @param {string} options.target  The server's URL.
 * @param {Random} options.random
 */
export async function startBadNetwork({ target, random }) {
    /** @type {Set<ServerResponse>} */
    const streams = new Set();
    /** @type {OpenCount[]} */
    const counts = [];
    const changes = new EventEmitter();
    const done = { delayed: 0, repeated: 0, reordered: 0, cut: 0, pagesCut: 0 };
    /** @type {(what: keyof typeof done, oneIn: number) => boolean} */
    const happens = (what, oneIn) => {
        const happens = random(oneIn) === 0;
        done[what] += Number(happens);
        return happens;
    };
    const count = () => {
        counts.push({ at: Date.now(), open: streams.size });
        changes.emit('count');
    };

    const proxy = createServer(async (asked, answer) => {
        const isStream = asked.headers.accept === 'text/event-stream';
        if (isStream) {
            streams.add(answer);
            count();
            const closed = () => streams.delete(answer) && count();
            answer.once('close', closed);
            // The browser's side is gone: what is still being written to it reaches nobody.
            asked.socket.once('end', closed);
        }
        answer.on('error', () => {});
        try {
            const served = await forward(target, asked, answer);
            answer.writeHead(served.statusCode ?? 502, served.headers).flushHeaders();
            if (served.headers['content-type']?.startsWith('text/event-stream')) {
                await relay(framesOf(served), answer, random, happens);
            } else {
                const body = Buffer.concat(await served.toArray());
                const isCut = asked.url?.startsWith('/v1/') && happens('pagesCut', PAGE_CUT);
                if (isCut) {
                    cut(answer, body);
                } else {
                    answer.end(body);
                }
            }
        } catch {
            if (answer.headersSent) {
                answer.destroy();
            } else {
                answer.writeHead(502).end();
            }
        }
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (proxy.address());
    return {
        url: `http://127.0.0.1:${port}`,
        /** What it did, each how often. */
        done,
        /** How the number of open event streams changed. */
        counts,
        /**
         * Resolves once so many event streams are open.
         *
         * @param {number} wanted
         */
        async open(wanted) {
            while (streams.size !== wanted) {
                await once(changes, 'count');
            }
        },
        async close() {
            const closed = once(proxy, 'close');
            proxy.close();
            proxy.closeAllConnections();
            await closed;
        },
    };
}

/**
 * Asks the server the same, and ends that when the browser's side ends.
 *
 * @param {string} target
 * @param {IncomingMessage} asked
 * @param {ServerResponse} answer
 * @returns {Promise<IncomingMessage>}
 */
async function forward(target, asked, answer) {
    const { method, url = '', headers } = asked;
    const forwarded = request(new URL(url, target), { method, headers: { ...headers, host: new URL(target).host }, agent: false });
    answer.once('close', () => forwarded.destroy());
    asked.pipe(forwarded);
    const [served] = await once(forwarded, 'response');
    return served;
}

/**
 * Writes frames as a bad network would.
 *
 * @param {AsyncIterable<Buffer>} frames
 * @param {ServerResponse} answer
 * @param {Random} random
 * @param {(what: 'delayed' | 'repeated' | 'reordered' | 'cut', oneIn: number) => boolean} happens
 */
async function relay(frames, answer, random, happens) {
    /** What comes again or too late, and after how many others. @type {{ frame: Buffer, after: number }[]} */
    let heldBack = [];
    const release = () => heldBack.splice(0).forEach(({ frame }) => answer.write(frame));
    const idle = setInterval(release, HELD_BACK_MS);
    const closed = new AbortController();
    answer.once('close', () => closed.abort());
    try {
        for await (const frame of frames) {
            idle.refresh();
            if (happens('cut', CUT)) {
                return cut(answer, frame);
            }
            if (happens('delayed', DELAYED)) {
                await delay(random(DELAY_MS_MAX));
            }
            const later = { frame, after: 1 + random(OVERTAKEN_MAX) };
            if (happens('reordered', REORDERED)) {
                heldBack.push(later);
                continue;
            }
            if (happens('repeated', REPEATED)) {
                heldBack.push(later);
            }
            answer.write(frame);
            heldBack.forEach((each) => (each.after -= 1));
            heldBack.filter(({ after }) => after === 0).forEach(({ frame }) => answer.write(frame));
            heldBack = heldBack.filter(({ after }) => after > 0);
            if (answer.writableNeedDrain) {
                await once(answer, 'drain', { signal: closed.signal });
            }
        }
        release();
        answer.end();
    } finally {
        clearInterval(idle);
    }
}

/**
 * Half of it still arrives.
 *
 * @param {ServerResponse} answer
 * @param {Buffer} bytes
 */
function cut(answer, bytes) {
    answer.write(bytes.subarray(0, bytes.length >> 1), () => answer.destroy());
}

/**
 * The frames of an event stream, each with the empty line that ends it.
 *
 * @param {AsyncIterable<Buffer>} chunks
 */
async function* framesOf(chunks) {
    let rest = Buffer.alloc(0);
    for await (const chunk of chunks) {
        rest = Buffer.concat([rest, chunk]);
        for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
            yield rest.subarray(0, end + 2);
            rest = rest.subarray(end + 2);
        }
    }
}
