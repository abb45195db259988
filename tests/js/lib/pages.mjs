/** Pages in Chromium, and commands as the page's own actors would give them. */

import assert from 'node:assert/strict';

/** @import { Browser, BrowserContext, Page, Route } from 'playwright-core' */

export const SEEN_TIMEOUT_MS = 60_000;
/** What the browser itself logs of an answer that is an error, and of a connection that breaks: where a test means it to. */
const NETWORK_ERROR = /^Failed to load resource: /;

/**
 * Opens a page that tells what went wrong in it.
 *
 * @param {Browser} browser
 * @param {{ after: (close: () => Promise<void>) => void }} t
 * @param {string} url
 * @param {{ width?: number, height?: number, prepare?: (page: Page) => Promise<unknown> }} [options]
 */
export async function openPage(browser, t, url, { width = 1280, height = 900, prepare } = {}) {
    const context = await browser.newContext({ viewport: { width, height } });
    context.setDefaultTimeout(SEEN_TIMEOUT_MS);
    t.after(() => context.close());
    const page = await context.newPage();
    /** @type {string[]} */
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
        if (message.type() === 'error' && !NETWORK_ERROR.test(message.text())) errors.push(message.text());
    });
    await prepare?.(page);
    await page.goto(url);
    return { page, errors };
}

/**
 * Gives a command to an entity's stream, and waits until it is carried out.
 *
 * @param {string} url  The server's.
 * @param {string} entity
 * @param {string} stream
 * @param {{ type: string, data?: object, source: string, version?: number, clock?: string, causationid?: string }} command
 * @param {string} [id]
 */
export async function give(url, entity, stream, command, id = crypto.randomUUID()) {
    const answer = await fetch(`${url}/v1/commands/${entity}/${encodeURIComponent(stream)}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': id },
        body: JSON.stringify(command),
    });
    const body = await answer.json();
    assert.ok(answer.ok, `${command.type}: ${answer.status} ${JSON.stringify(body)}`);
    return body;
}

/**
 * Holds back the requests that a page sends to a path from now on, until they are let go.
 *
 * @param {Page} page
 * @param {RegExp} path
 * @param {string} [method]
 */
export async function holdBack(page, path, method) {
    /** @type {() => void} */
    let letGo = () => {};
    /** @type {() => void} */
    let asked = () => {};
    const gate = new Promise((resolve) => (letGo = () => resolve(undefined)));
    const isAsked = new Promise((resolve) => (asked = () => resolve(undefined)));
    const matches = (/** @type {URL} */ url) => path.test(url.pathname);
    const hold = async (/** @type {Route} */ route) => {
        if (method && route.request().method() !== method) return route.fallback();
        asked();
        await gate;
        await route.fallback().catch(() => {}); // the page may have given up, or be gone
    };
    await page.route(matches, hold);
    return {
        /** Resolves once a request waits. */
        isAsked,
        async letGo() {
            letGo();
            await page.unroute(matches, hold);
        },
    };
}

/**
 * Whether all that can be used by hand has a name, and nothing is wider than the screen.
 *
 * @param {Page} page
 */
export async function checkAccess(page) {
    const nameless = await page.evaluate(() => {
        const isNamed = (/** @type {Element} */ element) => {
            const labelledBy = element.getAttribute('aria-labelledby');
            const labels = /** @type {HTMLInputElement} */ (element).labels ?? [];
            return Boolean(element.getAttribute('aria-label') || (labelledBy && document.getElementById(labelledBy)) || labels.length > 0
                || element.textContent?.trim());
        };
        const usable = document.querySelectorAll('a, button, input, textarea, select, summary, progress, [role=button], [role=group], section');
        return [...usable].filter((element) => element.checkVisibility() && !isNamed(element)).map((element) => element.outerHTML);
    });
    assert.deepEqual(nameless, []);
    const ids = await page.evaluate(() => [...document.querySelectorAll('[id]')].map(({ id }) => id));
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'something is wider than the screen');
}
