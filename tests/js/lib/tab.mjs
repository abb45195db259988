/**
 * A tab whose page follows topics on a device, driven from a test.
 */

import { ageCursors, breakDatabase, cursors, holdDatabase, stored } from './tab-database.mjs';

/** @import { Browser, Page } from './engines.mjs' */

/**
 * @typedef {object} TabOptions
 * @property {string} name
 * @property {string[]} topics
 * @property {'earliest' | 'latest'} [after]
 * @property {number} [bufferEventsMax]
 * @property {number} [connectTimeoutMs]
 * @property {string} [stream]  Whose state it keeps: the list of its events' data.
 *
 * @typedef {Awaited<ReturnType<typeof tabIn>>} Tab
 */

/**
 * Opens a page of the server, and in it a client.
 *
 * @param {Browser} browser
 * @param {string} url
 * @param {TabOptions} options
 */
export async function openTab(browser, url, options) {
    // One that doesn't follow the server by itself.
    return tabIn(await browser.open(`${url}/docs`), options);
}

/**
 * Opens tabs one after the other, each once the one before is live: the first of them leads.
 *
 * @template {TabOptions[]} Options
 * @param {Browser} browser
 * @param {string} url
 * @param {Options} all
 */
export async function openLiveTabs(browser, url, ...all) {
    const opened = [];
    for (const options of all) {
        const tab = await openTab(browser, url, options);
        await tab.has({ status: 'live' });
        opened.push(tab);
    }
    return /** @type {{ [At in keyof Options]: Tab }} */ (opened);
}

/**
 * Makes a client in a page that is there.
 *
 * @param {Page} page
 * @param {TabOptions} options
 */
export async function tabIn(page, options) {
    await page.evaluate(follow, options);
    return {
        page,
        /** Follows anew in a page that was loaded again. */
        follow: () => page.evaluate(follow, options),
        role: () => page.evaluate(() => window.tab.client.role),
        stats: () => page.evaluate(() => window.tab.client.stats()),
        /** The stream and revision of each event that was told. */
        told: () => page.evaluate(() => window.tab.told),
        /** Everything else that was told, but statuses. */
        notices: () => page.evaluate(() => window.tab.notices),
        /** How many event streams the page has open. */
        streams: () => page.evaluate(() => window.tab.streams),
        /** Each role and status that was told. */
        stood: () => page.evaluate(() => window.tab.stood),
        /** @param {string} position */
        caughtUp: (position) => page.evaluate((position) => window.tab.client.caughtUp(position), position),
        /**
         * Resolves once the client is such.
         *
         * @param {Partial<Pick<import('highwater').Client, 'role' | 'status'>>} wanted
         */
        has: (wanted) =>
            page.evaluate(async (wanted) => {
                const { client, changed } = window.tab;
                const holds = () => (wanted.role ?? client.role) === client.role && (wanted.status ?? client.status) === client.status;
                while (!holds()) {
                    await new Promise((resolve) => changed.addEventListener('change', resolve, { once: true }));
                }
            }, wanted),
        /**
         * Dispatches these data, and gives the ids.
         *
         * @param {unknown[]} data
         */
        dispatch: (data) => page.evaluate((data) => data.map((data) => window.tab.store?.dispatch({ type: 'tab.said.v1', data }).id), data),
        /**
         * Dispatches these data, each only for the state that shows, and gives what became of each.
         *
         * @param {unknown[]} data
         */
        dispatchIf: (data) =>
            page.evaluate(async (data) => {
                const dispatched = data.map((data) => window.tab.store?.dispatch({ type: 'tab.said.v1', data, isConditional: true }).confirmed);
                return (await Promise.allSettled(dispatched)).map(({ status }) => status);
            }, data),
        /** What the store shows. */
        snapshot: () =>
            page.evaluate(() => {
                if (!window.tab.store) {
                    throw new Error('the tab keeps no state');
                }
                // Each value of its own: WebDriver BiDi gives an object that is there twice only once.
                return /** @type {import('highwater').Snapshot<unknown[]>} */ (JSON.parse(JSON.stringify(window.tab.store.getSnapshot())));
            }),
        /**
         * Resolves once the confirmed state is this.
         *
         * @param {unknown[]} state
         */
        state: (state) =>
            page.evaluate(async (state) => {
                const { store, changed } = window.tab;
                while (JSON.stringify(store?.getSnapshot().confirmed) !== JSON.stringify(state)) {
                    await new Promise((resolve) => changed.addEventListener('change', resolve, { once: true }));
                }
            }, state),
        /**
         * Resolves once the store has one of these statuses.
         *
         * @param {import('highwater').Snapshot<unknown>['status'][]} statuses
         */
        stands: (...statuses) =>
            page.evaluate(async (statuses) => {
                const { store, changed } = window.tab;
                while (!statuses.some((status) => status === store?.getSnapshot().status)) {
                    await new Promise((resolve) => changed.addEventListener('change', resolve, { once: true }));
                }
            }, statuses),
        /**
         * Follows one more topic.
         *
         * @param {string} topic
         * @param {'earliest' | 'latest'} after
         */
        add: (topic, after) => page.evaluate((topic, after) => window.tab.client.add(topic, { after }), topic, after),
        /**
         * The next word of this kind that the tab says to the others is lost.
         *
         * @param {string} kind
         */
        saysNo: (kind) =>
            page.evaluate((kind) => {
                const { postMessage } = BroadcastChannel.prototype;
                BroadcastChannel.prototype.postMessage = function (message) {
                    if (message.kind === kind) {
                        BroadcastChannel.prototype.postMessage = postMessage;
                    } else {
                        postMessage.call(this, message);
                    }
                };
            }, kind),
        /**
         * From now on it keeps when the leader says something of this kind; `heard` resolves after the client has heard it.
         *
         * @param {string} kind  A status, or another kind of word.
         */
        listenFor: (kind) =>
            page.evaluate((kind) => {
                const channel = new BroadcastChannel(`highwater ${location.origin}/ ${window.tab.name}`);
                window.heard = new Promise((resolve) => {
                    channel.onmessage = ({ data }) => [data.kind, data.status?.status].includes(kind) && resolve(undefined);
                });
            }, kind),
        heard: () => page.evaluate(() => window.heard),
        /** Iterates over what is told, and takes nothing. */
        iterate: () =>
            page.evaluate(() => {
                window.tab.iterator = window.tab.client[Symbol.asyncIterator]();
            }),
        /**
         * Takes so many events of the iterator: the stream and revision of each.
         *
         * @param {number} count
         */
        takes: (count) =>
            page.evaluate(async (count) => {
                const lines = [];
                while (lines.length < count) {
                    const { value } = (await window.tab.iterator?.next()) ?? {};
                    lines.push(value?.kind === 'event' ? `${value.event.subject} ${value.event.revision}` : value?.kind);
                }
                return lines;
            }, count),
        /**
         * @param {unknown} data
         * @param {boolean} [isConditional]
         */
        dispatchAndClose: (data, isConditional = false) =>
            page.evaluate(
                (data, isConditional) => {
                    window.tab.store?.dispatch({ type: 'tab.said.v1', data, isConditional });
                    window.tab.client.close();
                },
                data,
                isConditional,
            ),
        close: () => page.evaluate(() => window.tab.client.close()),
        /**
         * Resolves once the device's database has a state at this revision; or, for `intents`, so many of them, those that were refused
         * among them.
         *
         * @param {string} key
         * @param {number} count
         */
        stored: (key, count) => page.evaluate(stored, key, count),
        /**
         * Resolves once the cursors of these sets of topics are all that the device's database has.
         *
         * @param {string[]} topics
         */
        cursors: (...topics) => page.evaluate(cursors, topics),
        /** Makes all cursors in the database so old as if nobody had come for a year. */
        ageCursors: () => page.evaluate(ageCursors),
        deleteDatabase: () => page.evaluate(breakDatabase, false),
        /** Leaves one of the same name without any of its stores. */
        breakDatabase: () => page.evaluate(breakDatabase, true),
        /** Begins a transaction over all that the device stores, which ends with the page. */
        holdDatabase: () => page.evaluate(holdDatabase),
        /**
         * Tells the other tabs that these frames have come.
         *
         * @param {string} frames
         * @param {number} connection
         * @param {number} term
         */
        sayFrames: (frames, connection, term) =>
            page.evaluate(
                (text, connection, term) => {
                    const channel = new BroadcastChannel(`highwater ${location.origin}/ ${window.tab.name}`);
                    channel.postMessage({ kind: 'frames', connection, frames: new TextEncoder().encode(text), term, status: { status: 'live' } });
                    channel.close();
                },
                frames,
                connection,
                term,
            ),
        /**
         * Has the page believe that the browser freezes it, or goes on with it.
         *
         * @param {'freeze' | 'resume'} event
         */
        lifecycle: (event) => page.evaluate((event) => void document.dispatchEvent(new Event(event)), event),
        /**
         * Keeps the page busy, so that it hears and does nothing, until a stream has an event.
         *
         * @param {string} stream
         */
        block: (stream) =>
            page.evaluate((stream) => {
                const request = new XMLHttpRequest();
                do {
                    request.open('GET', `/v1/streams/${stream}`, false);
                    request.send();
                } while (request.status !== 200 || JSON.parse(request.responseText).events.length === 0);
            }, stream),
    };
}

/**
 * Has a page in which locks are asked for late.
 *
 * @param {Page} page
 * @param {number} byMs
 */
export function slowLocks(page, byMs) {
    return page.evaluate((byMs) => {
        const { query } = LockManager.prototype;
        LockManager.prototype.query = async function () {
            await new Promise((resolve) => setTimeout(resolve, byMs));
            return query.call(this);
        };
    }, byMs);
}

/**
 * Runs in the page.
 *
 * @param {TabOptions} options
 */
async function follow({ stream, ...options }) {
    const served = '/highwater/index.js';
    /** @type {typeof import('highwater')} */
    const { connect } = await import(served);
    const changed = new EventTarget();
    const change = () => changed.dispatchEvent(new Event('change'));
    /** @type {typeof fetch} */
    const counting = async (input, init) => {
        const response = await fetch(input, init);
        if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
            window.tab.streams += 1;
            init?.signal?.addEventListener('abort', () => (window.tab.streams -= 1));
        }
        return response;
    };
    window.tab?.client.close();
    const client = connect({ backoffMaxMs: 500, ...options, fetch: counting });
    window.tab = { name: options.name, client, store: undefined, changed, told: [], notices: [], stood: [], streams: 0 };
    client.on('event', ({ event }) => window.tab.told.push(`${event.subject} ${event.revision}`));
    for (const kind of /** @type {const} */ (['unreadable', 'lost', 'reset', 'refused', 'storage'])) {
        client.on(kind, (told) => window.tab.notices.push([kind, JSON.parse(JSON.stringify(told, (_, value) => (value instanceof Error ? value.message : value)))]));
    }
    client.on('status', ({ status }) => {
        window.tab.stood.push(`${client.role} ${status}`);
        change();
    });
    if (stream !== undefined) {
        const store = client.state(stream, {
            initial: /** @type {unknown[]} */ ([]),
            reduce: (state, { data }) => {
                if (state.includes(data)) {
                    throw new Error(`${data} is there already`);
                }
                return [...state, data];
            },
        });
        store.subscribe(change);
        window.tab.store = store;
    }
    setInterval(change, 100);
}
