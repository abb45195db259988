/**
 * The crate for frontends in Rust: its own tests, which `wasm_bindgen_test` made, in a page of Chromium against the real server.
 * Here is what lies outside of the page.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { launchChromium } from './lib/chromium.mjs';
import { startFaultyProxy } from './lib/faulty-proxy.mjs';
import { startServer } from './lib/server.mjs';
import { makeKeys, tokenOf } from './lib/token.mjs';

/** @import { Server } from './lib/server.mjs' */

const TIMEOUT_MS = 120_000;
const TESTS_TIMEOUT_MS = 60_000;
/** Where `cargo xtask build-npm --tests` puts them. */
const TESTS = fileURLToPath(new URL('../../client-wasm/pkg/browser-test', import.meta.url));

test('a frontend in Rust follows', { timeout: TIMEOUT_MS }, async (t) => {
    /** @type {Server} */
    let server;
    const proxy = await startFaultyProxy({ target: () => server.url, folder: TESTS });
    t.after(() => proxy.close());
    // Another origin than the page's, as where a development server has the page.
    const flags = ['--cors-origins', proxy.url];
    server = await startServer({ flags });
    t.after(() => server.stop());
    const restart = async () => {
        server = await startServer({ data: server.data, listen: new URL(server.url).host, flags });
    };
    const { secret, keys } = makeKeys();
    const guarded = await startServer({ flags: [...flags, '--auth-keys', keys] });
    t.after(() => guarded.stop());

    const browser = await launchChromium();
    t.after(() => browser.close());
    const page = await browser.newPage();
    await page.exposeFunction('append', (/** @type {string} */ stream, /** @type {object} */ event) => append(server.url, stream, event));
    await page.exposeFunction('kill', () => server.kill());
    await page.exposeFunction('restart', restart);
    await page.exposeFunction('ended', proxy.ended);
    const places = { server: server.url, proxy: proxy.url, guarded: guarded.url, token: tokenOf(secret, { read: ['**'] }) };
    await page.addInitScript((places) => void Object.assign(window, { places }), places);
    await page.addInitScript(observe);
    await page.goto(`${proxy.url}/`);
    const { outcome, count, output } = await page.evaluate(run, TESTS_TIMEOUT_MS);
    assert.equal(outcome, true, `not all have passed${outcome === undefined ? ' in time' : ''}:\n${output}`);
    assert.ok(count > 0, output);
});

/**
 * Runs in the page: what the program `wasm-bindgen-test-runner` would do there. Without an outcome, some test is not over in time.
 *
 * @param {number} timeoutMs
 */
async function run(timeoutMs) {
    const module = '/files/browser.js';
    const glue = await import(module);
    const wasm = await glue.default({ module_or_path: '/files/browser_bg.wasm' });
    Object.assign(window, { __wbg_test_invoke: (/** @type {() => unknown} */ test) => test() });
    console.error = (...words) => glue.__wbgtest_console_error(words);
    const tests = Object.keys(wasm).filter((name) => name.startsWith('__wbgt_')).map((name) => wasm[name]);
    /** @type {Promise<boolean>} */
    const running = new glue.WasmBindgenTestContext(false).run(tests);
    /** @type {Promise<undefined>} */
    const late = new Promise((resolve) => setTimeout(resolve, timeoutMs));
    const outcome = await Promise.race([running, late]);
    return { outcome, count: tests.length, output: document.getElementById('output')?.textContent ?? '' };
}

/** Runs in the page: lets tests ask how many listeners for events there are, and what is read of which answer. */
function observe() {
    let listeners = 0;
    /** @type {ReadableStreamDefaultReader[]} */
    const readers = [];
    /** @type {number[]} */
    const reads = [];
    before(EventTarget.prototype, 'addEventListener', () => void listeners++);
    before(EventTarget.prototype, 'removeEventListener', () => void listeners--);
    before(ReadableStreamDefaultReader.prototype, 'read', (reader) => {
        const known = readers.indexOf(reader);
        const at = known < 0 ? readers.push(reader) - 1 : known;
        reads[at] = (reads[at] ?? 0) + 1;
    });
    Object.assign(window, {
        listeners: () => listeners,
        readers: () => readers.length,
        reads: (/** @type {number} */ reader) => reads[reader],
    });

    /**
     * @param {any} prototype
     * @param {string} method
     * @param {(self: any) => void} note
     */
    function before(prototype, method, note) {
        const original = prototype[method];
        prototype[method] = function (/** @type {unknown[]} */ ...words) {
            note(this);
            return original.apply(this, words);
        };
    }
}

/**
 * Appends one event, and gives its position once it is durable.
 *
 * @param {string} url
 * @param {string} stream
 * @param {object} event  What it has of its own.
 */
async function append(url, stream, event) {
    const response = await fetch(`${url}/v1/streams/${encodeURIComponent(stream)}`, {
        method: 'POST',
        headers: { 'content-type': 'application/cloudevents+json' },
        body: JSON.stringify({ specversion: '1.0', source: 'frontend-test', type: 'frontend.counted.v1', ...event }),
    });
    if (response.status !== 201) {
        throw new Error(`append: ${response.status} ${await response.text()}`);
    }
    return (await response.json()).position;
}
