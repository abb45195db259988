/** The page of a task's history in Chromium, served by the real binary. */

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';

import { launchChromium } from './lib/chromium.mjs';
import { checkAccess, give, holdBack, openPage, SEEN_TIMEOUT_MS } from './lib/pages.mjs';
import { startDemo, startServer } from './lib/server.mjs';

/** @import { Browser, Page } from 'playwright-core' */

const STREAM = 'space:1:tasks:task-abc';
const CODE = ['def fib(n):\n    return 1', 'def fib(n):\n    return n'];

/**
 * Seed 1's four example events with its own clocks, and then a report of a tester who has not heard of the correction.
 *
 * @type {Parameters<typeof give>[3][]}
 */
const STORY = [
    { type: 'generate_code', data: { code: CODE[0], hash: 'abc123' }, source: 'generator', clock: 'generator=1' },
    { type: 'start_correction', source: 'corrector', version: 1, causationid: 'evt-001', clock: 'corrector=1,generator=1' },
    { type: 'report_bug', data: { bug: 'fib(0) is 1' }, source: 'tester', version: 1, causationid: 'evt-001', clock: 'corrector=1,generator=1,tester=1' },
    {
        type: 'complete_correction', data: { code: CODE[1], hash: 'xyz789', addresses: ['evt-003'] }, source: 'corrector', version: 1,
        causationid: 'evt-002', clock: 'corrector=2,generator=1,tester=1',
    },
    { type: 'report_bug', data: { bug: 'fib(1) is 2' }, source: 'tester', version: 1, causationid: 'evt-001', clock: 'corrector=1,generator=1,tester=2' },
];

suite('a task’s history', () => {
    /** @type {Browser} */
    let browser;
    /** @type {Awaited<ReturnType<typeof startServer>>} */
    let server;
    before(async () => {
        [browser, server] = await Promise.all([launchChromium(), startServer()]);
        for (const [at, command] of STORY.entries()) await give(server.url, 'task', STREAM, command, `evt-00${at + 1}`);
    });
    after(async () => {
        await browser?.close();
        await server?.stop();
    });

    /**
     * @param {import('node:test').TestContext} t
     * @param {Parameters<typeof openPage>[3] & { stream?: string }} [options]
     */
    async function open(t, { stream = STREAM, ...options } = {}) {
        const opened = await openPage(browser, t, `${server.url}/task?${new URLSearchParams({ stream })}`, options);
        await opened.page.locator('.status[data-status=live]').waitFor();
        return opened;
    }

    test('draws a line for each actor, a dot for each event, and arrows from cause to effect', async (t) => {
        const { page, errors } = await open(t);
        await dots(page, 5);
        assert.deepEqual(await page.locator('.lanes li').allTextContents(), ['generator', 'tester', 'corrector']);
        const arrows = await page.locator('.arrow').evaluateAll((all) => all.map((arrow) => [arrow.getAttribute('data-from'), arrow.getAttribute('data-to')]));
        assert.deepEqual(arrows, [['1', '2'], ['1', '3'], ['2', '4'], ['1', '5']]);
        assert.deepEqual(await page.locator('.raise-label').allTextContents(), ['v1', 'v2']);
        assert.deepEqual(await revisions(page, '.is-stale'), [5]);
        const hollow = await page.locator('.dot.is-stale .core').evaluate((core) => getComputedStyle(core).fill);
        assert.notEqual(hollow, await page.locator('.dot .core').first().evaluate((core) => getComputedStyle(core).fill));
        await page.getByText('All 5 events are drawn.').waitFor();
        await checkAccess(page);
        assert.deepEqual(errors, []);
    });

    test('the chosen event’s past, future and what neither knew of are told apart, by mouse and by keyboard', async (t) => {
        const { page } = await open(t);
        await dots(page, 5);
        await page.locator('.dot[data-revision="4"]').click();
        const relations = async () => Object.fromEntries(await Promise.all(['before', 'after', 'concurrent', 'chosen'].map(async (relation) =>
            [relation, await revisions(page, `.is-${relation}`)])));
        assert.deepEqual(await relations(), { before: [1, 2, 3], after: [], concurrent: [5], chosen: [4] });
        assert.equal(await page.locator('#legend [data-relation=concurrent] b').textContent(), '1');
        assert.equal(await page.locator('.dot[data-revision="5"]').getAttribute('aria-label'), 'Event 5: Report by tester, version 1, stale, concurrent with the chosen one');
        assert.equal(await page.locator('#event-title').textContent(), 'Correction');
        assert.match(await page.locator('#event').innerText(), /corrector 2\s+generator 1\s+tester 1/);

        await page.locator('#event .cause button').click();
        assert.deepEqual(await relations(), { before: [1], after: [3, 4, 5], concurrent: [], chosen: [2] });
        await page.locator('.dot[tabindex="0"]').focus();
        for (const [key, wanted] of /** @type {const} */ ([['ArrowRight', 3], ['ArrowDown', 2], ['ArrowUp', 3], ['End', 5], ['ArrowRight', 5], ['Home', 1]])) {
            await page.keyboard.press(key);
            assert.deepEqual(await revisions(page, '.is-chosen'), [wanted], key);
            assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('data-revision')), String(wanted));
        }
        assert.equal(await page.locator('.dot[aria-pressed=true]').count(), 1);
        assert.equal(await page.locator('.dot[tabindex="0"]').count(), 1);
    });

    test('the slider shows version 1’s code while version 2 is current, and what is shown says which it is', async (t) => {
        const { page, errors } = await open(t);
        await state(page, 'The state now', { version: '2', code: CODE[1] });
        await page.locator('#at').focus();
        await page.keyboard.press('Home');
        await state(page, 'The state after event 1', { version: '1', code: CODE[0] });
        assert.equal(await page.locator('#at').getAttribute('aria-valuetext'), 'after event 1 of 5: New code by generator');
        await page.keyboard.press('ArrowRight');
        await page.keyboard.press('ArrowRight');
        await state(page, 'The state after event 3', { version: '1', code: CODE[0] });
        assert.match(await page.locator('#past').innerText(), /being corrected[\s\S]*Pending bugs\s+1[\s\S]*fib\(0\) is 1/);

        await page.locator('#now').click();
        await state(page, 'The state now', { version: '2', code: CODE[1] });
        assert.match(await page.locator('#past').innerText(), /Stale, kept out\s+1/);
        assert.deepEqual(errors, []);
    });

    test('while a state is on its way the old one keeps its name, and one that fails says so', async (t) => {
        const { page } = await open(t);
        await state(page, 'The state now', { version: '2', code: CODE[1] });
        const held = await holdBack(page, /\/state$/);
        await page.locator('#at').press('Home');
        await page.getByText('Reading the state after event 1…').waitFor();
        assert.equal(await page.locator('#past-title').textContent(), 'The state now');
        await held.isAsked;
        // Meanwhile somebody goes on: the answer that comes late is not shown for the one that was asked for last.
        await page.locator('#at').press('ArrowRight');
        await held.letGo();
        await state(page, 'The state after event 2', { version: '1', code: CODE[0] });

        await page.route(/\/state\?/, (route) => route.fulfill({ status: 503, json: { code: 'unavailable', detail: 'the disk is full' } }));
        await page.locator('#at').press('ArrowRight');
        await page.getByText('The state after event 3 could not be read: the disk is full.').waitFor();
        assert.equal(await page.locator('#past-title').textContent(), 'The state after event 2');
        await page.unroute(/\/state\?/);
        await page.locator('#past').getByText('Try again').click();
        await state(page, 'The state after event 3', { version: '1', code: CODE[0] });
    });

    test('what happens appears at once, and whoever looks at the past is left there', async (t) => {
        const stream = 'space:1:tasks:live';
        await give(server.url, 'task', stream, { type: 'generate_code', data: { code: 'one' }, source: 'generator' });
        const { page } = await open(t, { stream });
        await state(page, 'The state now', { version: '1', code: 'one' });
        await give(server.url, 'task', stream, { type: 'refine_code', data: { code: 'two' }, source: 'user:anna' });
        await dots(page, 2);
        await state(page, 'The state now', { version: '2', code: 'two' });
        assert.deepEqual(await page.locator('.lanes li').allTextContents(), ['user:anna', 'generator']);

        await page.locator('#at').press('Home');
        await state(page, 'The state after event 1', { version: '1', code: 'one' });
        await give(server.url, 'task', stream, { type: 'refine_code', data: { code: 'three' }, source: 'user:anna' });
        await dots(page, 3);
        assert.equal(await page.locator('#past-title').textContent(), 'The state after event 1');
        assert.equal(await page.locator('#at').getAttribute('max'), '3');
        await page.locator('#at').press('End');
        await state(page, 'The state now', { version: '3', code: 'three' });
    });

    test('of a long history the last events are drawn, and it can be paged back', async (t) => {
        const stream = 'space:1:tasks:long';
        const total = 230;
        await give(server.url, 'task', stream, { type: 'generate_code', data: { code: 'one' }, source: 'generator' });
        await Promise.all(Array.from({ length: total - 1 }, (_, at) => give(server.url, 'task', stream, { type: 'intervene', data: { note: `${at}` }, source: 'user:anna' })));
        const { page, errors } = await open(t, { stream, width: 390, height: 844 });
        await page.getByText('Events 31 to 230 of 230 are drawn.').waitFor();
        assert.equal(await page.locator('.dot').count(), 200);
        assert.equal(await page.locator('.dot.is-stale').count(), 0);
        assert.ok(await page.locator('.track').evaluate((track) => track.scrollLeft + track.clientWidth >= track.scrollWidth - 1), 'the end is seen');
        await checkAccess(page);

        await page.locator('#earlier').click();
        await page.getByText('Events 1 to 30 of 230 are drawn.').waitFor();
        await page.locator('#at').press('Home');
        await state(page, 'The state after event 1', { version: '1', code: 'one' });
        await give(server.url, 'task', stream, { type: 'intervene', data: { note: 'the last' }, source: 'user:anna' });
        await page.getByText('Events 1 to 30 of 231 are drawn.').waitFor();
        await page.locator('#now').click();
        await page.getByText('Events 32 to 231 of 231 are drawn.').waitFor();
        await state(page, 'The state now', { version: '1', code: 'one' });
        assert.deepEqual(errors, []);
    });

    test('an address that names nothing is told in words', async (t) => {
        const { page } = await openPage(browser, t, `${server.url}/task?stream=space:1:tasks:nobody`);
        await page.getByText(/^The events could not be read: .*nobody/).waitFor();
        const { page: other } = await openPage(browser, t, `${server.url}/task`);
        await other.getByText(/^The address names no stream/).waitFor();
    });
});

test('a card of the demo leads to its task’s history', async (t) => {
    const [browser, demo] = await Promise.all([launchChromium(), startDemo({ flags: ['--speed', '30', '--seed', '7'] })]);
    t.after(() => Promise.all([browser.close(), demo.stop()]));
    const { page, errors } = await openPage(browser, t, demo.url);
    const link = page.locator('.card.is-right h4 a').first();
    const name = await link.textContent();
    await link.click({ timeout: SEEN_TIMEOUT_MS });
    await page.locator('.dot').nth(3).waitFor();
    assert.equal(await page.locator('#title').textContent(), name);
    assert.ok(await page.locator('.arrow').count() > 0);
    assert.deepEqual(errors, []);
});

/**
 * @param {Page} page
 * @param {number} number
 */
async function dots(page, number) {
    await page.waitForFunction((number) => document.querySelectorAll('.dot').length === number, number);
}

/**
 * The revisions of the dots that are so.
 *
 * @param {Page} page
 * @param {string} selector
 */
function revisions(page, selector) {
    return page.locator(`.dot${selector}`).evaluateAll((all) => all.map((dot) => Number(dot.getAttribute('data-revision'))));
}

/**
 * Waits until a state is shown, and holds that it is this one.
 *
 * @param {Page} page
 * @param {string} title
 * @param {{ version: string, code: string | undefined }} wanted
 */
async function state(page, title, { version, code }) {
    await page.waitForFunction(([title, version]) => {
        const panel = document.querySelector('#past');
        return panel?.getAttribute('data-status') === 'shown' && panel.querySelector('h2')?.textContent === title
            && panel.querySelector('.facts dd')?.textContent === version;
    }, [title, version]);
    const lines = await page.locator('#past .line').allTextContents();
    assert.equal(lines.join('\n'), code);
}
