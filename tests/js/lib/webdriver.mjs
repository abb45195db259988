/**
 * A client of W3C WebDriver, as far as our tests need one: https://www.w3.org/TR/webdriver2/.
 *
 * A session has one current window, so commands that belong together go in one turn, and none may take long: what a page
 * promises is not awaited in a command but looked for again and again, so that the other pages have their turns.
 */

import { setTimeout as delay } from 'node:timers/promises';

/** @import { DrivenPage } from './engines.mjs' */

const COMMAND_TIMEOUT_MS = 60_000;
const LOOK_AGAIN_MS = 10;

/** Runs in the page: starts what the expression says, and puts its outcome where it is looked for. */
const start = (/** @type {string} */ expression) => `
    const [evaluation] = arguments;
    const outcomes = globalThis.webdriverOutcomes ??= {};
    outcomes[evaluation] = null;
    (async () => (${expression}))().then(
        (value) => { outcomes[evaluation] = { value }; },
        (error) => { outcomes[evaluation] = { error: String(error) }; },
    );`;

/** Runs in the page: nothing if it has been loaded anew since, `null` if there is no outcome yet. */
const LOOK = `
    const [evaluation] = arguments;
    return { outcome: globalThis.webdriverOutcomes?.[evaluation] };`;

/**
 * Starts a browser with a session at the driver at `url`.
 *
 * @param {string} url
 */
export async function newSession(url) {
    const { sessionId } = await send(url, 'POST', 'session', { capabilities: {} });
    const session = `${url}/session/${sessionId}`;
    return new Session(session, await send(session, 'GET', 'window'));
}

class Session {
    #url;
    #firstWindow;
    /** @type {Promise<unknown>} What the next turn comes after. */
    #turn = Promise.resolve();
    #evaluations = 0;

    /**
     * @param {string} url
     * @param {string} firstWindow  Stays open and empty, as the session would end with its last window.
     */
    constructor(url, firstWindow) {
        this.#url = url;
        this.#firstWindow = firstWindow;
    }

    /**
     * Loads a page in a new window.
     *
     * @param {string} url
     * @returns {Promise<DrivenPage>}
     */
    async open(url) {
        const { handle } = await this.#in(this.#firstWindow, 'POST', 'window/new', { type: 'window' });
        await this.#in(handle, 'POST', 'url', { url });
        return {
            evaluate: (expression) => this.#evaluate(handle, expression),
            reload: () => this.#in(handle, 'POST', 'refresh', {}),
            close: () => this.#in(handle, 'DELETE', 'window'),
        };
    }

    /** Ends the browser, too. */
    end() {
        return this.#inTurn(() => send(this.#url, 'DELETE', ''));
    }

    /**
     * @param {string} handle
     * @param {string} expression
     */
    async #evaluate(handle, expression) {
        const args = [++this.#evaluations];
        await this.#in(handle, 'POST', 'execute/sync', { script: start(expression), args });
        for (;;) {
            const { outcome } = await this.#in(handle, 'POST', 'execute/sync', { script: LOOK, args });
            if (outcome === undefined) {
                throw new Error('the page was left before it had an answer');
            }
            if (outcome !== null) {
                return valueOf(outcome);
            }
            await delay(LOOK_AGAIN_MS);
        }
    }

    /**
     * One command in one window.
     *
     * @param {string} handle
     * @param {'GET' | 'POST' | 'DELETE'} method
     * @param {string} command
     * @param {object} [body]
     */
    #in(handle, method, command, body) {
        return this.#inTurn(async () => {
            await send(this.#url, 'POST', 'window', { handle });
            return send(this.#url, method, command, body);
        });
    }

    /**
     * @template T
     * @param {() => Promise<T>} commands
     * @returns {Promise<T>}
     */
    #inTurn(commands) {
        const done = this.#turn.then(commands);
        this.#turn = done.catch(() => {});
        return done;
    }
}

/** @param {{ value: unknown } | { error: string }} outcome */
function valueOf(outcome) {
    if ('error' in outcome) {
        throw new Error(outcome.error);
    }
    return outcome.value;
}

/**
 * @param {string} url
 * @param {'GET' | 'POST' | 'DELETE'} method
 * @param {string} command
 * @param {object} [body]
 */
async function send(url, method, command, body) {
    const path = command === '' ? url : `${url}/${command}`;
    const signal = AbortSignal.timeout(COMMAND_TIMEOUT_MS);
    const answer = await fetch(path, { method, signal, ...(body && { body: JSON.stringify(body) }) });
    const { value } = await answer.json();
    if (!answer.ok) {
        throw new Error(`WebDriver, ${method} ${command}: ${value.error}: ${value.message}`);
    }
    return value;
}
