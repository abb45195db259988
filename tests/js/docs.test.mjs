/** The page `/docs` in Chromium, held against the document that the same server gives to programs. */

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';

import { anchor, isDescription, operationsOf, problemsOf } from '../../www/openapi.js';
import { launchChromium } from './lib/chromium.mjs';
import { startServer } from './lib/server.mjs';

/** @import { Browser, Page } from 'playwright-core' */
/** @import { Description } from '../../www/openapi.js' */

suite('the page /docs', () => {
    /** @type {Browser} */
    let browser;
    /** @type {Awaited<ReturnType<typeof startServer>>} */
    let server;
    /** @type {Description} */
    let description;
    before(async () => {
        [browser, server] = await Promise.all([launchChromium(), startServer()]);
        const response = await fetch(`${server.url}/openapi.json`);
        assert.equal(response.status, 200);
        const document = await response.json();
        assert.ok(isDescription(document));
        description = document;
    });
    after(async () => {
        await browser?.close();
        await server?.stop();
    });

    test('shows each operation with its parameters, bodies and answers, each error code, each schema', async (t) => {
        const { page, errors } = await open(t);
        const operations = operationsOf(description);
        for (const { id, method, path, parameters, is } of operations) {
            const text = await textOf(page, 'operation', id);
            const names = parameters.map(({ name }) => name);
            const body = is.requestBody && 'content' in is.requestBody ? is.requestBody.content : {};
            const wanted = [method, path, ...names, ...Object.keys(body ?? {}), ...Object.keys(is.responses ?? {})];
            for (const each of wanted) assert.ok(text.includes(each), `${method} ${path} does not show ${each}`);
        }
        for (const { code, status } of problemsOf(description, operations)) {
            assert.ok((await textOf(page, 'problem', code)).includes(status), code);
        }
        for (const [name, schema] of Object.entries(description.components?.schemas ?? {})) {
            const text = await textOf(page, 'schema', name);
            const members = Object.keys((typeof schema === 'object' && schema.properties) || {});
            for (const member of members) assert.ok(text.includes(member), `${name} does not show ${member}`);
        }
        assert.deepEqual(errors, []);
    });

    test('each link within it leads to what it names', async (t) => {
        const { page } = await open(t);
        const [ids, goals] = await page.evaluate(() => [
            [...document.querySelectorAll('[id]')].map(({ id }) => id),
            [...document.querySelectorAll('a')].filter(({ hash }) => hash).map(({ hash }) => hash.slice(1)),
        ]);
        assert.equal(new Set(ids).size, ids.length);
        assert.deepEqual(goals.filter((goal) => !ids.includes(goal)), []);
    });

    test('the filter leaves what has all its words, and gives way to a link', async (t) => {
        const { page } = await open(t);
        const appends = operationsOf(description).filter(({ method, path }) => method === 'POST' && path === '/v1/events');
        const [append] = appends;
        assert.ok(append);
        await page.locator('#filter').fill('POST /v1/events batch+json');
        await page.locator('#found').getByText(/^\d+ of \d+$/).waitFor();
        const shown = await page.locator('.entry:visible').evaluateAll((entries) => entries.map(({ id }) => id));
        assert.ok(shown.includes(anchor('operation', append.id)), String(shown));
        assert.ok(!shown.includes('schema-Problem'), String(shown));

        await page.locator('#filter').fill('no-such-word');
        await page.locator('#found').getByText('Nothing has all these words.').waitFor();
        assert.equal(await page.locator('.entry:visible').count(), 0);

        await page.locator('#filter').fill('POST /v1/events batch+json');
        await page.locator('.entry:visible a[href="#schema-NewEvents"]').first().click();
        await page.locator('#schema-NewEvents').waitFor();
        assert.equal(await page.locator('#filter').inputValue(), '');
    });

    test('an address with an anchor opens there, and the keyboard reaches it all', async (t) => {
        const { page } = await open(t, { hash: '#schema-Problem' });
        await page.waitForFunction(() => {
            const top = document.querySelector('#schema-Problem')?.getBoundingClientRect().top ?? -1;
            return top >= 0 && top < innerHeight;
        });
        const reached = new Set();
        await page.locator('.skip').focus();
        for (let tab = 0; tab < 6; tab++) {
            reached.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim()));
            await page.keyboard.press('Tab');
        }
        for (const wanted of ['Highwater', 'theme', 'filter', 'Contents']) assert.ok(reached.has(wanted), `${wanted}: ${[...reached]}`);
        await page.locator('#theme').press('Enter');
        assert.equal(await page.locator('html').getAttribute('data-theme'), 'light');
    });

    test('on a phone nothing overflows, even with every answer unfolded', async (t) => {
        const { page, errors } = await open(t, { width: 390 });
        assert.equal(await page.locator('#contents').evaluate((details) => /** @type {any} */ (details).open), false);
        await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
        assert.deepEqual(errors, []);
    });

    for (const [what, answer, words] of /** @type {const} */ ([
        ['a refusal', { status: 503, body: '' }, 'the server answered 503'],
        ['no JSON', { status: 200, body: '<!doctype html>' }, 'is no OpenAPI 3.1 document'],
        ['a dangling reference', { status: 200, body: JSON.stringify(dangling()) }, 'refers to #/components/responses/Gone'],
    ])) {
        test(`says clearly that there is nothing to show: ${what}`, async (t) => {
            const { page } = await open(t, { answer });
            await page.locator('#state').getByText(words).waitFor();
            assert.equal(await page.locator('#whole').isVisible(), false);
        });
    }

    /**
     * @param {import('node:test').TestContext} t
     * @param {{ hash?: string, width?: number, answer?: { status: number, body: string } }} [options]
     */
    async function open(t, { hash = '', width = 1280, answer } = {}) {
        const page = await browser.newPage({ viewport: { width, height: 800 } });
        t.after(() => page.close());
        /** @type {string[]} */
        const errors = [];
        page.on('pageerror', (error) => errors.push(String(error)));
        page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
        if (answer) await page.route('**/openapi.json', (route) => route.fulfill(answer));
        await page.goto(`${server.url}/docs${hash}`);
        if (!answer) await page.locator('#whole').waitFor();
        return { page, errors };
    }
});

/**
 * @param {Page} page
 * @param {string} kind
 * @param {string} name
 */
async function textOf(page, kind, name) {
    return (await page.locator(`[id="${anchor(kind, name)}"]`).textContent()) ?? '';
}

function dangling() {
    const responses = { 200: { $ref: '#/components/responses/Gone' } };
    return { openapi: '3.1.0', info: { title: 'x', version: '1' }, paths: { '/x': { get: { responses } } } };
}
