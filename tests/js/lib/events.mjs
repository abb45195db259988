/**
 * Events for tests: appending them, and collecting what a client was given.
 */

/**
 * @typedef {object} Appended
 * @property {string} stream
 * @property {string} position
 * @property {number} sequence
 * @property {number} revision
 * @property {number} number  What the event's data holds.
 */

/**
 * Appends one event with `{ number }` as its data, and waits until it is durable.
 *
 * @param {string} url  The server's.
 * @param {string} stream
 * @param {number} number
 * @param {object} [more]  Further data.
 * @returns {Promise<Appended>}
 */
export async function append(url, stream, number, more) {
    const response = await fetch(`${url}/v1/streams/${encodeURIComponent(stream)}`, {
        method: 'POST',
        headers: { 'content-type': 'application/cloudevents+json' },
        body: JSON.stringify({
            specversion: '1.0',
            source: 'interop-test',
            type: 'interop.counted.v1',
            data: { number, ...more },
        }),
    });
    if (response.status !== 201) {
        throw new Error(`append: ${response.status} ${await response.text()}`);
    }
    const { position, events } = await response.json();
    const [{ sequence, revision }] = events;
    return { stream, position, sequence, revision, number };
}

/**
 * Reads what the log has of a topic, page by page.
 *
 * @param {string} url  The server's.
 * @param {string} topic
 */
export async function readLog(url, topic) {
    /** @type {any[]} */
    const log = [];
    for (let position = 'earliest'; ; ) {
        const response = await fetch(`${url}/v1/events?${new URLSearchParams({ topic, after: position, limit: '1000' })}`);
        if (response.status !== 200) {
            throw new Error(`read: ${response.status} ${await response.text()}`);
        }
        const { events, next } = await response.json();
        if (events.length === 0) return log;
        log.push(...events);
        position = next;
    }
}

/**
 * Appends a bounded number of events, some at a time, one after the other, in turn to two streams of one topic.
 */
export class Writer {
    /** @type {Appended[]} What the server has acknowledged, in order. */
    appended = [];
    #planned = 0;
    /** @type {Promise<void>} */
    #writing = Promise.resolve();

    /**
     * @param {object} options
     * @param {string} options.url
     * @param {string} options.space  Names the streams, apart from other tests'.
     * @param {number} options.total
     */
    constructor({ url, space, total }) {
        this.url = url;
        this.space = space;
        this.total = total;
        this.topic = `${space}:*`;
    }

    /**
     * Appends the next `count` events, or as many as are left.
     *
     * @param {number} count
     */
    write(count) {
        const numbers = Array.from({ length: Math.min(count, this.total - this.#planned) }, () => ++this.#planned);
        this.#writing = this.#writing.then(async () => {
            for (const number of numbers) {
                await this.writeOne(number);
            }
        });
        return this.#writing;
    }

    /** @param {number} number */
    async writeOne(number) {
        const stream = `${this.space}:${number % 2 === 0 ? 'even' : 'odd'}`;
        this.appended.push(await append(this.url, stream, number));
    }
}

/**
 * What a client was given, and a way to wait for more of it.
 *
 * @template T
 */
export class Collected {
    /** @type {T[]} */
    items = [];
    #wake = () => {};

    /** @param {T} item */
    add(item) {
        this.items.push(item);
        this.#wake();
    }

    /**
     * Resolves once there are `count`.
     *
     * @param {number} count
     * @param {number} timeoutMs
     */
    async reach(count, timeoutMs) {
        /** @type {ReturnType<typeof setTimeout> | undefined} */
        let timer;
        const reached = new Promise((resolve) => {
            this.#wake = () => {
                if (this.items.length >= count) {
                    resolve(undefined);
                }
            };
        });
        this.#wake();
        const timedOut = new Promise((_, reject) => {
            timer = setTimeout(() => {
                reject(new Error(`only ${this.items.length} of ${count} came within ${timeoutMs} ms`));
            }, timeoutMs);
        });
        await Promise.race([reached, timedOut]).finally(() => clearTimeout(timer));
    }
}
