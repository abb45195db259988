/**
 * Everything at once, in real Chromium against the real server: many tabs of one origin behind a bad network, while leaders die, freeze
 * and hang and the server is killed. What each tab holds at the end is held against the log.
 *
 * The faults come of a seed, which is printed; `HIGHWATER_SEED` repeats it, as far as time allows. With `HIGHWATER_CHAOS_SECONDS` the
 * incidents go on for so long, in an order that comes of the seed too (`cargo xtask chaos`). In the end it says what was done.
 */

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { launch, openTab } from './lib/chaos-tab.mjs';
import { reasonToSkip } from './lib/engines.mjs';
import { readLog } from './lib/events.mjs';
import { startBadNetwork } from './lib/bad-network.mjs';
import { randomNumbers } from './lib/random.mjs';
import { startServer } from './lib/server.mjs';

/** @import { Browser } from 'puppeteer-core' */
/** @import { Report, Tab, Watcher } from './lib/chaos-tab.mjs' */
/** @import { Random } from './lib/random.mjs' */
/** @import { Server } from './lib/server.mjs' */

const SEED = Number(process.env.HIGHWATER_SEED ?? Math.floor(Math.random() * 2 ** 32));
const TABS = 20;
/** Opened at the same time. */
const TABS_AT_ONCE = 4;
const EVENTS = 10_000;
const BATCH_EVENTS = 50;
/** Between batches, so that there are some whatever happens. */
const BATCH_PAUSE_MS = 40;
const GROUPS = ['a', 'b', 'c', 'd', 'e', 'f'];
const STREAMS = GROUPS.flatMap((group) => [`chaos:${group}:1`, `chaos:${group}:2`]);
/** While another tab takes over; then there is to be one again. */
const SOCKETS_MAX = 2;
const ONE_SOCKET_AFTER_MS = 5_000;
/** Nothing takes so long. */
const STEP_TIMEOUT_MS = 25_000;
const SECONDS = Number(process.env.HIGHWATER_CHAOS_SECONDS ?? 0);
/** Beyond those seconds: tabs open before, and all is held against the log after. */
const TIMEOUT_MS = SECONDS * 1_000 + 175_000;
/** A kill comes at any time within this, while events are written. */
const KILL_DELAY_MS = 300;

/** @typedef {'crash' | 'freeze' | 'stall' | 'killServer'} Incident */
/** @type {Incident[]} */
const INCIDENTS = ['crash', 'freeze', 'crash', 'killServer', 'stall', 'crash', 'freeze', 'crash', 'killServer', 'crash'];

describe('many tabs', { skip: reasonToSkip('chromium'), timeout: TIMEOUT_MS }, () => {
    /** @type {Browser} */
    let browser;
    before(async () => {
        browser = await launch();
    });
    after(() => browser?.close());

    test('whatever happens, each ends with what the log says', async (t) => {
        t.diagnostic(`seed ${SEED}`);
        const random = randomNumbers(SEED);
        const server = await startServer();
        t.after(() => chaos.server.stop());
        const proxy = await startBadNetwork({ target: server.url, random });
        t.after(() => proxy.close());
        const writer = new Writer(server.url, random);
        const chaos = new Chaos(browser, proxy.url, server, writer, random);

        await writer.write(BATCH_EVENTS);
        for (let opened = 0; opened < TABS; opened += TABS_AT_ONCE) {
            await chaos.step('tabs open', Promise.all(Array.from({ length: TABS_AT_ONCE }, () => chaos.open('earliest'))));
        }
        await chaos.settle(proxy);
        t.diagnostic(`${TABS} tabs are live after ${seconds()}`);
        for (const incident of SECONDS > 0 ? incidentsFor(SECONDS, random) : INCIDENTS) {
            await writer.write(BATCH_EVENTS);
            const writing = writer.write(EVENTS / (INCIDENTS.length + 1) - BATCH_EVENTS);
            chaos.done[incident] += 1;
            const mend = await chaos.step(incident, chaos[incident]());
            await chaos.step('writing', writing);
            await chaos.step(`after ${incident}`, mend());
            await chaos.settle(proxy);
            t.diagnostic(`${incident}: settled after ${seconds()}`);
        }
        await writer.write(EVENTS - writer.written);
        await chaos.settle(proxy);

        const log = await readLog(server.url, 'chaos:**');
        assert.deepEqual(log.map(({ id }) => id), Array.from({ length: writer.written }, (_, at) => `${at + 1}`), 'all that was acknowledged, once');
        for (const tab of chaos.tabs) {
            check(await tab.report(), tab, log);
        }
        assert.deepEqual(chaos.faults, []);
        assert.deepEqual(proxy.counts.filter(({ open }) => open > SOCKETS_MAX), [], 'at most two event streams are open');
        const late = chaos.handOvers.filter((at) => !isOneWithin(proxy.counts, at, at + ONE_SOCKET_AFTER_MS));
        assert.deepEqual(late, [], 'soon after a hand-over one event stream is open');
        report(chaos, proxy).forEach((line) => t.diagnostic(line));
    });
});

/** What is done to the tabs and the server. Each incident answers how it ends. */
class Chaos {
    /** @type {Tab[]} */
    tabs = [];
    /** What must not have happened. @type {string[]} */
    faults = [];
    /** Who spoke under each term. @type {Map<number, Tab>} */
    terms = new Map();
    /** When another tab was the leader, and live. @type {number[]} */
    handOvers = [];
    /** How often each was done. @type {Record<Incident, number>} */
    done = { crash: 0, freeze: 0, stall: 0, killServer: 0 };
    #opened = 0;
    #changes = new EventEmitter();
    /** @type {Tab | undefined} */
    #lastLeader;

    /** @param {Browser} browser @param {string} url @param {Server} server @param {Writer} writer @param {Random} random */
    constructor(browser, url, server, writer, random) {
        this.random = random;
        this.browser = browser;
        this.url = url;
        this.server = server;
        this.writer = writer;
        /** @type {Watcher} */
        this.watcher = {
            changed: (tab) => {
                if (tab.leads && tab !== this.#lastLeader) {
                    this.#lastLeader = tab;
                    this.handOvers.push(tab.since);
                }
                this.#changes.emit('change');
            },
            speaks: (tab, term) => {
                const other = this.terms.get(term) ?? tab;
                this.terms.set(term, tab);
                if (other !== tab) {
                    this.faults.push(`two tabs speak under term ${term}`);
                }
            },
            fault: (_, fault) => this.faults.push(fault),
        };
    }

    get opened() {
        return this.#opened;
    }

    /** Opens another tab, whose topics are some of all. @param {'earliest'} [after] */
    async open(after) {
        const at = this.#opened++;
        const [one, other] = [GROUPS[at % GROUPS.length], GROUPS[(at + 1) % GROUPS.length]];
        const topics = at % 7 === 6 ? ['chaos:**'] : [`chaos:${one}:*`, `chaos:${other}:2`];
        const tab = await openTab(this.browser, this.url, { name: 'chaos', topics, after, stream: `chaos:${other}:2` }, this.watcher);
        this.tabs.push(tab);
    }

    async crash() {
        const leader = await this.#leader();
        await leader.crash();
        this.tabs = this.tabs.filter((tab) => tab !== leader);
        await this.#leader();
        return async () => {
            await leader.page.close();
            await this.open(this.#opened % 2 === 0 ? 'earliest' : undefined);
        };
    }

    async freeze() {
        const leader = await this.#leader();
        await leader.freeze();
        await this.#leader(leader);
        return () => leader.unfreeze();
    }

    async stall() {
        const leader = await this.#leader();
        await leader.stall();
        await this.#leader(leader);
        await leader.unstall();
        return async () => {};
    }

    async killServer() {
        await delay(this.random(KILL_DELAY_MS));
        await this.server.kill();
        this.server = await startServer({ data: this.server.data, listen: new URL(this.server.url).host });
        this.writer.restarted();
        return async () => {};
    }

    /**
     * Resolves once each tab has all that is written, one of them leads, and that one has the only connection.
     *
     * @param {Awaited<ReturnType<typeof startBadNetwork>>} proxy
     */
    async settle(proxy) {
        const { position, revisions } = this.writer;
        await this.step('catching up', Promise.all(this.tabs.map((tab) => tab.caughtUp(position, revisions.get(tab.options.stream) ?? 0))));
        await this.step('one leads', this.#allLive());
        await this.step('one socket', proxy.open(1));
    }

    async #allLive() {
        while (this.tabs.filter(({ leads }) => leads).length !== 1 || this.tabs.some(({ standing }) => standing.status !== 'live')) {
            await once(this.#changes, 'change');
        }
    }

    /**
     * Gives what a step gives, or says how all stood when that took too long.
     *
     * @template T
     * @param {string} what
     * @param {Promise<T>} step
     */
    async step(what, step) {
        const over = new AbortController();
        const late = delay(STEP_TIMEOUT_MS, undefined, { signal: over.signal }).then(async () => {
            const standings = await Promise.all(this.tabs.map((tab) => tab.describe()));
            throw new Error(`not within ${STEP_TIMEOUT_MS} ms: ${what}, up to ${this.writer.position}\n${[...standings, ...this.faults].join('\n')}`);
        });
        // Whichever comes second is not waited for any more.
        late.catch(() => {});
        step.catch(() => {});
        try {
            return await Promise.race([step, late]);
        } finally {
            over.abort();
        }
    }

    /**
     * Resolves once one leads, and is live.
     *
     * @param {Tab} [other]  Not this one.
     */
    async #leader(other) {
        for (;;) {
            const leader = this.tabs.find((tab) => tab.leads && tab !== other);
            if (leader) {
                return leader;
            }
            await once(this.#changes, 'change');
        }
    }
}

/** Appends events to all streams; some of them are about an older version. */
class Writer {
    written = 0;
    /** Batches without an answer, which were sent again. */
    sentAgain = 0;
    position = '';
    /** The last of each stream. @type {Map<string, number>} */
    revisions = new Map();
    /** @type {Map<string, number>} */
    #versions = new Map();
    #restart = withResolvers();

    /** @param {string} url @param {Random} random */
    constructor(url, random) {
        this.url = url;
        this.random = random;
    }

    /** Where it stopped, it goes on. */
    restarted() {
        this.#restart.resolve();
        this.#restart = withResolvers();
    }

    /** @param {number} count */
    async write(count) {
        for (const end = this.written + Math.floor(count); this.written < end; await delay(BATCH_PAUSE_MS)) {
            const batch = Array.from({ length: Math.min(BATCH_EVENTS, end - this.written) }, () => this.#event());
            this.position = await this.#append(batch);
        }
    }

    #event() {
        const subject = STREAMS[this.random(STREAMS.length)] ?? '';
        const version = this.#versions.get(subject) ?? 1;
        const isStale = version > 1 && this.random(12) === 0;
        if (this.random(6) === 0) {
            this.#versions.set(subject, version + 1);
        }
        this.revisions.set(subject, (this.revisions.get(subject) ?? 0) + 1);
        this.written += 1;
        const data = { number: this.random(1_000_000) };
        return { specversion: '1.0', id: `${this.written}`, source: 'chaos', type: 'chaos.happened.v1', subject, version: isStale ? version - 1 : version, data };
    }

    /** @param {unknown[]} batch @returns {Promise<string>} */
    async #append(batch) {
        const restarted = this.#restart.promise;
        const headers = { 'content-type': 'application/cloudevents-batch+json' };
        const response = await fetch(`${this.url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(batch) })
            .then(async (response) => ({ status: response.status, text: await response.text() }))
            .catch(() => undefined);
        if (!response) {
            // Whether it is recorded is not known: the same again is recorded once.
            this.sentAgain += 1;
            await restarted;
            return this.#append(batch);
        }
        assert.ok([200, 201].includes(response.status), response.text);
        return JSON.parse(response.text).position;
    }
}

/**
 * What to do next, until the time is over.
 *
 * @param {number} seconds
 * @param {Random} random
 */
function* incidentsFor(seconds, random) {
    for (const end = performance.now() + seconds * 1_000; performance.now() < end; ) {
        yield INCIDENTS[random(INCIDENTS.length)] ?? 'crash';
    }
}

/**
 * What was done, and what was lost, once all is checked.
 *
 * @param {Chaos} chaos
 * @param {Awaited<ReturnType<typeof startBadNetwork>>} proxy
 */
function report({ done, opened, tabs, handOvers, terms, writer }, { counts, done: network }) {
    const connected = counts.filter(({ open }, at) => open > (counts[at - 1]?.open ?? 0)).length;
    return [
        `events: ${writer.written} appended and acknowledged; ${writer.sentAgain} batches sent again, as their answer was lost`,
        `server: killed ${done.killServer} times (SIGKILL, while events were written), and started again on its folder`,
        `tabs: ${opened} opened, ${done.crash} crashed, ${done.freeze} frozen, ${done.stall} hung; ${handOvers.length} hand-overs, ${terms.size} terms`,
        `network: ${connected} event streams opened; of frames ${network.delayed} delayed, ${network.repeated} repeated, ${network.reordered} reordered; ${network.cut} streams and ${network.pagesCut} pages cut`,
        `lost: nothing; the log has each event once, and each of ${tabs.length} tabs was told what it says, in order`,
    ];
}

/**
 * Holds what a tab was told, and what it made of it, against the log.
 *
 * @param {Report} report
 * @param {Tab} tab
 * @param {any[]} log
 */
function check({ stats, came, told, duplicates, plain, store }, { options }, log) {
    const topics = options.topics.map((topic) => new RegExp(`^${topic.replace('**', '.*').replace(/(?<!\.)\*/, '[^:]*')}$`));
    const ours = log.filter(({ subject }) => topics.some((topic) => topic.test(subject)));
    const [, firstStream, firstRevision] = told[0] ?? [];
    const start = ours.findIndex(({ subject, revision }) => subject === firstStream && revision === firstRevision);
    assert.ok(options.after === 'earliest' ? start === 0 : start > 0, 'it begins where it is to');
    const expected = fold(ours.slice(start));
    assert.deepEqual(told, expected.verdicts);
    assert.deepEqual(plain, expected.states);
    const { states } = fold(log);
    const last = log.findLast(({ subject }) => subject === options.stream);
    assert.deepEqual(store, { status: 'current', revision: last.revision, state: states[options.stream] });

    const { applied, stale, duplicate, unreadable, discarded, dropped, held } = stats;
    const count = (/** @type {string} */ wanted) => told.filter(([verdict]) => verdict === wanted).length;
    assert.deepEqual({ applied, stale, duplicate, unreadable, held }, { applied: count('applied'), stale: count('stale'), duplicate: duplicates, unreadable: 0, held: 0 });
    assert.equal(applied + stale + duplicate + unreadable + discarded + dropped + held, came);
}

/**
 * What a plain reader of the log makes of it: an event moves nothing where its version is below one before it.
 *
 * @param {any[]} log
 */
function fold(log) {
    /** @type {Record<string, number>} */
    const states = {};
    /** @type {Record<string, number>} */
    const versions = {};
    const verdicts = log.map(({ subject, revision, version, data }) => {
        if (version < (versions[subject] ?? 0)) {
            return ['stale', subject, revision];
        }
        versions[subject] = version;
        states[subject] = (Math.imul(states[subject] ?? 0, 31) + data.number) | 0;
        return ['applied', subject, revision];
    });
    return { states, verdicts };
}

/**
 * Whether at some time of this span one event stream was open.
 *
 * @param {import('./lib/bad-network.mjs').OpenCount[]} counts
 * @param {number} from
 * @param {number} to
 */
function isOneWithin(counts, from, to) {
    const before = counts.findLast(({ at }) => at <= from);
    return before?.open === 1 || counts.some(({ at, open }) => at > from && at <= to && open === 1);
}

function withResolvers() {
    let resolve = () => {};
    const promise = new Promise((resolved) => (resolve = () => resolved(undefined)));
    return { promise, resolve };
}

/** For people. */
function seconds() {
    return `${Math.round(performance.now() / 1000)} s`;
}
