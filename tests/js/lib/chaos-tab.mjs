/**
 * A tab of the chaos test: a page in which a client follows topics on a device, and in which all is recorded that a test has to know
 * of it and that the client does not say itself.
 */

import { setTimeout as delay } from 'node:timers/promises';

import puppeteer from 'puppeteer-core';

import { programOfChromium } from './chromium.mjs';

/** @import { Browser, CDPSession, Page } from 'puppeteer-core' */
/** @import { Stats } from 'highwater' */

/** What the browser itself logs when a request fails, which here they are meant to. */
const NETWORK_ERROR = /^Failed to load resource: /;
/** A page that does nothing does not answer. */
const ANSWER_MS = 1_000;

/**
 * @typedef {object} Options
 * @property {string} name  The device's.
 * @property {string[]} topics
 * @property {'earliest' | undefined} after
 * @property {string} stream  Whose state it keeps.
 *
 * @typedef {{ role: string, status: string }} Standing
 *
 * @typedef {object} Watcher
 * @property {(tab: Tab) => void} changed  It stands otherwise than before.
 * @property {(tab: Tab, term: number) => void} speaks  It says its first word of a term.
 * @property {(tab: Tab, fault: string) => void} fault
 *
 * @typedef {object} Report
 * @property {Stats} stats
 * @property {number} came  How many events of its topics came, also again.
 * @property {[verdict: string, stream: string, revision: number][]} told  In order.
 * @property {number} duplicates  How many were told.
 * @property {Record<string, number>} plain  The fold of the events that were told, by stream.
 * @property {{ status: string, revision: number, state: number }} store
 */

export class Tab {
    /** @type {Standing} */
    standing = { role: 'follower', status: 'connecting' };
    /** When it began to stand so. */
    since = 0;
    isCrashed = false;

    /**
     * @param {Page} page
     * @param {CDPSession} devtools
     * @param {Options} options
     */
    constructor(page, devtools, options) {
        this.page = page;
        this.devtools = devtools;
        this.options = options;
    }

    get leads() {
        return this.standing.role === 'leader' && this.standing.status === 'live';
    }

    /** Its process dies, and nothing in it is told. */
    async crash() {
        const crashed = new Promise((resolve) => this.page.once('error', resolve));
        this.isCrashed = true;
        this.devtools.send('Page.crash').catch(() => {});
        await crashed;
    }

    /** As a browser freezes what nobody looks at. */
    freeze() {
        return this.devtools.send('Page.setWebLifecycleState', { state: 'frozen' });
    }

    async unfreeze() {
        await this.devtools.send('Page.setWebLifecycleState', { state: 'active' });
        await this.page.bringToFront();
    }

    /** It does nothing any more, and can't know that. */
    async stall() {
        await this.devtools.send('Debugger.enable');
        const paused = new Promise((resolve) => this.devtools.once('Debugger.paused', resolve));
        await this.devtools.send('Debugger.pause');
        await paused;
    }

    async unstall() {
        await this.devtools.send('Debugger.resume');
        await this.devtools.send('Debugger.disable');
    }

    /**
     * Resolves once all up to a position is judged and in the state.
     *
     * @param {string} position
     * @param {number} revision  The last one of the state's stream up to there.
     */
    caughtUp(position, revision) {
        return this.page.evaluate((position, revision) => window.chaos.caughtUp(position, revision), position, revision);
    }

    /** @returns {Promise<Report>} */
    report() {
        return this.page.evaluate(() => window.chaos.report());
    }

    /** How it stands, for people; without what it counted where it doesn't answer. */
    async describe() {
        const stats = this.page.evaluate(() => window.chaos.report().stats).catch(String);
        const answer = await Promise.race([stats, delay(ANSWER_MS)]);
        return `${this.standing.role} ${this.standing.status} ${JSON.stringify(answer)}`;
    }
}

/** Starts Chromium by puppeteer: playwright tells every page that it is looked at, and such a page can't be frozen. */
export function launch() {
    return puppeteer.launch({ executablePath: programOfChromium(), args: ['--no-sandbox', '--disable-gpu'] });
}

/**
 * Opens a tab, in a window of its own so that it does not count as hidden, and waits until it is live.
 *
 * @param {Browser} browser
 * @param {string} url
 * @param {Options} options
 * @param {Watcher} watcher
 */
export async function openTab(browser, url, options, watcher) {
    const page = await browser.newPage({ type: 'window' });
    const tab = new Tab(page, await page.createCDPSession(), options);
    page.on('pageerror', (error) => watcher.fault(tab, `uncaught: ${error instanceof Error ? error.stack : error}`));
    page.on('console', (message) => message.type() === 'error' && !NETWORK_ERROR.test(message.text()) && watcher.fault(tab, message.text()));
    page.on('error', () => tab.isCrashed || watcher.fault(tab, 'crashed by itself'));
    await page.exposeFunction('tell', (/** @type {Told} */ told) => {
        if ('fault' in told) {
            watcher.fault(tab, told.fault);
        } else if ('term' in told) {
            watcher.speaks(tab, told.term);
        } else {
            tab.standing = told;
            tab.since = Date.now();
            watcher.changed(tab);
        }
    });
    await page.evaluateOnNewDocument(record);
    // A page that doesn't follow the server by itself.
    await page.goto(`${url}/docs`);
    await page.evaluate(follow, options);
    return tab;
}

/** @typedef {Standing | { term: number } | { fault: string }} Told  What a page tells its test. */

/** Runs in the page before anything else: watches what the client says to other tabs, and what it hands to its half in wasm. */
function record() {
    /** @type {Window['recorded']} */
    const recorded = { came: 0, isOurs: () => true, connects: () => (text = '') };
    window.recorded = recorded;
    /** The term of what is being heard from another tab. @type {number | undefined} */
    let hearing;
    let heeded = 0;
    let spoken = 0;
    /** Of a frame that has not come whole. */
    let text = '';

    const Channel = window.BroadcastChannel;
    window.BroadcastChannel = class extends Channel {
        /** @param {any} message */
        postMessage(message) {
            if (message.term !== undefined && message.term !== spoken) {
                window.tell(message.term < spoken ? { fault: `says something under term ${message.term} after ${spoken}` } : { term: message.term });
                spoken = message.term;
            }
            super.postMessage(message);
        }
        /** @param {any} listener */
        set onmessage(listener) {
            super.onmessage = (/** @type {MessageEvent} */ event) => {
                hearing = event.data.term;
                listener.call(this, event);
                hearing = undefined;
            };
        }
    };

    const heeds = () => {
        if (hearing !== undefined && hearing < heeded) {
            window.tell({ fault: `heeds term ${hearing} after ${heeded}` });
        }
        heeded = Math.max(heeded, hearing ?? 0);
    };
    /** @param {{ subject: string }[]} events */
    const come = (events) => (recorded.came += events.filter(({ subject }) => recorded.isOurs(subject)).length);

    /** @param {any} wasm  What it exports. */
    const watch = (wasm) => {
        /** Where it lends room, for a chunk and for a page. */
        const at = { chunk: 0, page: 0 };
        let pageBytes = 0;
        let decoder = new TextDecoder();
        /** @param {number} from @param {number} length */
        const bytes = (from, length) => new Uint8Array(wasm.memory.buffer, from, length);
        return {
            ...wasm,
            spare: (/** @type {number} */ length) => (at.chunk = wasm.spare(length)),
            room: (/** @type {number} */ length) => ((pageBytes = length), (at.page = wasm.room(length))),
            feed() {
                recorded.connects();
                wasm.feed();
            },
            received(/** @type {number} */ now, /** @type {number} */ length) {
                heeds();
                const frames = (text + decoder.decode(bytes(at.chunk, length))).split('\n\n');
                text = frames.pop() ?? '';
                const data = frames.filter((frame) => !/^event:/m.test(frame)).flatMap((frame) => /^data: (.*)$/m.exec(frame)?.[1] ?? []);
                come(data.map((event) => JSON.parse(event)));
                return wasm.received(now, length);
            },
            fetched(/** @type {number} */ now, /** @type {number} */ kind) {
                heeds();
                come(JSON.parse(decoder.decode(bytes(at.page, pageBytes))).events);
                return wasm.fetched(now, kind);
            },
        };
    };
    const { Instance } = WebAssembly;
    const Watched = /** @type {any} */ (function (/** @type {WebAssembly.Module} */ module) {
        return { exports: watch(new Instance(module).exports) };
    });
    WebAssembly.Instance = Watched;
}

/**
 * Runs in the page: follows the topics.
 *
 * @param {Options} options
 */
async function follow({ name, topics, after, stream }) {
    const served = '/highwater/index.js';
    /** @type {typeof import('highwater')} */
    const { connect } = await import(served);
    const { recorded, tell } = window;
    const patterns = topics.map((topic) => new RegExp(`^${topic.replace('**', '.+').replaceAll(/(?<!\.)\*/g, '[^:]+')}$`));
    recorded.isOurs = (stream) => patterns.some((pattern) => pattern.test(stream));
    const client = connect({
        name,
        topics,
        ...(after && { after }),
        backoffMaxMs: 500,
        fetch(input, init) {
            if (new Headers(init?.headers).get('accept') === 'text/event-stream') {
                recorded.connects();
            }
            return fetch(input, init);
        },
    });
    /** @type {Report['told']} */
    const told = [];
    /** @type {Record<string, number>} */
    const plain = {};
    /** @type {Record<string, number>} */
    const revisions = {};
    let duplicates = 0;
    /** @param {number} state @param {number} number */
    const fold = (state, number) => (Math.imul(state, 31) + number) | 0;
    /** @param {'applied' | 'stale'} verdict @param {import('highwater').CloudEvent<any>} event */
    const judged = (verdict, { subject, revision }) => {
        told.push([verdict, subject, revision]);
        if (revisions[subject] !== undefined && revision !== revisions[subject] + 1) {
            tell({ fault: `revision ${revision} of ${subject} came after ${revisions[subject]}` });
        }
        revisions[subject] = revision;
    };
    client.on('event', ({ event }) => {
        judged('applied', event);
        plain[event.subject] = fold(plain[event.subject] ?? 0, /** @type {any} */ (event.data).number);
    });
    client.on('stale', ({ event }) => event && judged('stale', event));
    client.on('duplicate', () => (duplicates += 1));
    for (const kind of /** @type {const} */ (['unreadable', 'lost', 'reset', 'refused', 'storage'])) {
        client.on(kind, (notice) => tell({ fault: `${kind}: ${JSON.stringify(notice, (_, value) => (value instanceof Error ? value.stack : value))}` }));
    }
    const changed = new EventTarget();
    const store = client.state(stream, { initial: 0, reduce: (state, { data }) => fold(state, /** @type {any} */ (data).number) });
    store.subscribe(() => changed.dispatchEvent(new Event('change')));
    window.chaos = {
        async caughtUp(position, revision) {
            await client.caughtUp(position);
            while (store.getSnapshot().status !== 'current' || store.getSnapshot().revision < revision) {
                await new Promise((resolve) => changed.addEventListener('change', resolve, { once: true }));
            }
        },
        report() {
            const { status, revision, confirmed } = store.getSnapshot();
            return { stats: client.stats(), came: recorded.came, told, duplicates, plain, store: { status, revision, state: confirmed } };
        },
    };
    // A role changes only where a status does.
    const stand = () => tell({ role: client.role, status: client.status });
    client.on('status', stand);
    while (client.status !== 'live') {
        await new Promise((resolve) => {
            const stop = client.on('status', () => resolve(stop()));
        });
    }
}
