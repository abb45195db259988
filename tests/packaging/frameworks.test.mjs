/** Each framework's component, as somebody would paste it: it shows a stream, what comes, and what is dispatched. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launchChromium } from '../js/lib/chromium.mjs';
import { append } from '../js/lib/events.mjs';
import { startServer, temporaryFolder } from '../js/lib/server.mjs';
import { build } from './frameworks/build.mjs';
import { serveSite } from './lib/site.mjs';

const STREAM = 'space:42:counter';

/** @type {Awaited<ReturnType<typeof launchChromium>>} */
let browser;
before(async () => {
    browser = await launchChromium();
});
after(() => browser?.close());

for (const framework of /** @type {const} */ (['react', 'svelte', 'vue'])) {
    test(framework, async (t) => {
        const { server, site, page } = await deployed(t, framework);
        /** @type {string[]} */
        const complaints = [];
        page.on('pageerror', (error) => complaints.push(String(error)));
        page.on('console', (message) => complaints.push(message.text()));

        await append(server.url, STREAM, 1, { amount: 2 });
        await page.goto(`${site.url}/index.html`);
        const button = page.locator('button');
        await button.getByText('2', { exact: true }).click();
        await button.getByText('3', { exact: true }).waitFor();
        await append(server.url, STREAM, 2, { amount: 10 });
        await button.getByText('13', { exact: true }).waitFor();
        const { revision } = await (await fetch(`${server.url}/v1/streams/${STREAM}`)).json();
        assert.equal(revision, 3);
        assert.deepEqual(complaints, []);
    });
}

test('react, with a state that was stored', async (t) => {
    const { server, site, page } = await deployed(t, 'react');
    await append(server.url, STREAM, 1, { amount: 2 });
    await page.goto(`${site.url}/stored.html`);
    await page.getByText('current 2', { exact: true }).waitFor();
    await page.waitForFunction(isStored, STREAM);
    await server.stop();
    await page.reload();
    await page.getByText('restored 2', { exact: true }).waitFor();
});

/**
 * Runs in the page: whether it has stored a state.
 *
 * @param {string} key
 */
async function isStored(key) {
    const [{ name = '' } = {}] = await indexedDB.databases();
    /** @param {IDBRequest} request */
    const done = (request) =>
        new Promise((resolve, reject) => {
            request.onsuccess = () => resolve(request.result);
            request.onerror = () => reject(request.error);
        });
    const database = await done(indexedDB.open(name));
    const stored = await done(database.transaction('states').objectStore('states').getKey(key));
    database.close();
    return stored !== undefined;
}

/**
 * A framework's pages, behind one origin with a server.
 *
 * @param {import('node:test').TestContext} t
 * @param {'react' | 'svelte' | 'vue'} framework
 */
async function deployed(t, framework) {
    const server = await startServer();
    t.after(() => server.stop());
    const built = temporaryFolder();
    assert.deepEqual(await build(framework, built), [], 'the bundler has nothing to warn of');
    const site = await serveSite([['/', built]], server.url);
    t.after(() => site.close());
    const page = await browser.newPage();
    t.after(() => page.close());
    return { server, site, page };
}
