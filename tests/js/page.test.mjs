/**
 * The page in Chromium, served by the real binary: what the right side shows is held against the log, read and folded
 * here by code of the test's own.
 */

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';

import { launchChromium } from './lib/chromium.mjs';
import { readLog } from './lib/events.mjs';
import { runLine, startDemo, startServer, temporaryFolder } from './lib/server.mjs';

/** @import { Browser, Page } from 'playwright-core' */

const SEEN_TIMEOUT_MS = 60_000;
/** What the browser itself logs when a connection breaks, which here it is meant to. */
const NETWORK_ERROR = /^Failed to load resource: net::/;

/** @type {Browser} */
let browser;
before(async () => {
    browser = await launchChromium();
});
after(() => browser.close());

suite('the page at the demo', () => {
    /** @type {Awaited<ReturnType<typeof startDemo>>} */
    let demo;
    before(async () => {
        demo = await startDemo({ flags: ['--speed', '30', '--seed', '7'] });
    });
    after(() => demo.stop());

    test('its right side is the fold of the log, while its left side goes wrong', async (t) => {
        const { page, errors } = await open(t, demo.url);
        for (const verdict of ['applied', 'stale', 'duplicate', 'gap']) {
            await countReaches(page, verdict, verdict === 'applied' ? 60 : 1);
        }
        await page.waitForFunction(() => /went wrong/.test(document.querySelector('#times')?.textContent ?? ''));
        const shown = await rightSide(page);
        assert.ok(shown.length > 0);
        const log = await readLog(demo.url, 'space:demo:tasks:*');
        for (const card of shown) {
            assert.deepEqual(card, foldOf(log, card.stream, card.revision));
        }
        assert.deepEqual(errors, []);
    });

    test('it tells what is wrong, and why a message was dropped', async (t) => {
        const { page } = await open(t, demo.url);
        await page.locator('.pair.is-wrong .card.is-left .verdict').first().waitFor({ timeout: SEEN_TIMEOUT_MS });
        await page.locator('#log li[data-verdict=stale]').first().waitFor({ timeout: SEEN_TIMEOUT_MS });
        const why = await page.locator('#log li[data-verdict=stale] p').first().textContent();
        assert.match(why ?? '', /^(.+ about version \d+ came after version \d+: dropped from state\.|\d+ events at once\.)$/);
    });

    test('the keyboard reaches the sides, the network, the theme and what is wrong', async (t) => {
        const { page } = await open(t, demo.url);
        await page.keyboard.press('Tab');
        assert.equal(await focused(page), 'Skip to the two sides');
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => document.activeElement?.id === 'sides');

        await page.locator('#theme').focus();
        await page.keyboard.press('Enter');
        assert.equal(await page.locator('html').getAttribute('data-theme'), 'light');
        await page.keyboard.press('Enter');
        assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');

        await page.locator('#network').waitFor();
        await page.locator('[name=preset][value=bad]').focus();
        const put = page.waitForResponse((response) => response.request().method() === 'PUT');
        await page.keyboard.press('ArrowLeft');
        assert.equal((await put).status(), 200);
        const faults = await (await fetch(`${demo.url}/demo/faults`)).json();
        assert.deepEqual([faults.delay_ms, faults.repeat, faults.reorder], [[0, 0], 0, 0]);
        assert.equal(await page.locator('#network-summary').textContent(), 'calm');

        const putBack = page.waitForResponse((response) => response.request().method() === 'PUT');
        await page.keyboard.press('ArrowRight');
        assert.equal((await putBack).status(), 200);
        await pressUntilFocused(page, '#next-wrong', '.pair.is-wrong');

        await page.locator('#filter [value=all]').focus();
        await page.keyboard.press('ArrowRight');
        assert.equal(await page.locator('#log').getAttribute('data-show'), 'stale');
    });

    test('on a phone nothing overflows, and one side can be seen alone', async (t) => {
        const { page, errors } = await open(t, demo.url, { width: 360, height: 740 });
        await countReaches(page, 'applied', 5);
        for (const side of ['left', 'right', 'why', 'both']) {
            await page.locator(`#switch [value=${side}]`).check();
            const isSeen = (/** @type {string} */ selector) => page.locator(selector).first().isVisible();
            assert.equal(await isSeen('.card.is-left'), side === 'left' || side === 'both');
            assert.equal(await isSeen('.card.is-right'), side === 'right' || side === 'both');
            assert.equal(await isSeen('.log'), side === 'why');
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), side);
        }
        // Where it can't be seen, what is wrong is shown first.
        await page.locator('#switch [value=why]').check();
        await pressUntilFocused(page, '#next-wrong', '.pair.is-wrong');
        assert.equal(await page.locator('#switch :checked').inputValue(), 'both');
        const [gauge, padding] = await page.evaluate(() => [
            document.querySelector('.gauge')?.getBoundingClientRect().height ?? 0,
            parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop),
        ]);
        assert.ok(gauge < padding, `the gauge takes ${gauge}, what is scrolled to stays clear of ${padding}`);
        assert.deepEqual(errors, []);
    });

    test('on a low screen the reasons stay in their panel', async (t) => {
        const { page } = await open(t, demo.url, { width: 1366, height: 640 });
        await page.locator('#log li').nth(8).waitFor({ timeout: SEEN_TIMEOUT_MS });
        await page.locator('.sides').evaluate((sides) => sides.scrollIntoView());
        const bottom = (/** @type {string} */ selector) =>
            page.locator(selector).evaluate((element) => Math.round(element.getBoundingClientRect().bottom));
        assert.ok(await bottom('.scroll') <= await bottom('.middle'));
        assert.ok(await bottom('.middle') <= 640);
        assert.ok(await page.locator('.scroll').evaluate((log) => log.clientHeight) >= 120, 'and can be read');
    });

    test('each card says whose it is, also where columns show it', async (t) => {
        const { page } = await open(t, demo.url);
        for (const [name, side] of /** @type {const} */ ([['Naive', 'left'], ['Highwater', 'right']])) {
            const card = page.getByRole('article', { name: new RegExp(`^${name}: \\w`) }).first();
            await card.waitFor({ timeout: SEEN_TIMEOUT_MS });
            assert.ok(await card.evaluate((element, side) => element.matches(`.is-${side}`), side));
            assert.match(await card.ariaSnapshot(), new RegExp(name));
            assert.notEqual(await card.locator('.whose').evaluate((whose) => getComputedStyle(whose).display), 'none');
        }
    });

    test('nothing waits for the network to say how bad it is', async (t) => {
        const { page, errors } = await open(t, demo.url, undefined, async (page) => {
            await page.route('**/demo/faults', () => {});
        });
        await countReaches(page, 'applied', 1);
        assert.equal(await page.locator('#network').isHidden(), true);
        await page.locator('#theme').click();
        assert.equal(await page.locator('#theme').textContent(), 'Theme: light');
        assert.deepEqual(errors, []);
    });

    test('the sliders show what another window has set', async (t) => {
        const { page } = await open(t, demo.url);
        await page.locator('#network').waitFor();
        const faults = { delay_ms: [50, 150], repeat: 0.1, reorder: 0.2, cut_every_ms: 9000 };
        const answer = await fetch(`${demo.url}/demo/faults`, {
            method: 'PUT',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(faults),
        });
        assert.equal(answer.status, 200);
        await page.evaluate(() => window.dispatchEvent(new Event('focus')));
        await page.waitForFunction(() => document.querySelector('output[for=delay-max]')?.textContent === '150 ms');
        assert.equal(await page.locator('#network-summary').textContent(), 'as you set it');
    });
});

test('a page that is empty says what to do, in words and in a command that does it', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const { page, errors } = await open(t, server.url, { width: 1366, height: 640 });
    const empty = page.locator('#empty');
    await empty.waitFor({ timeout: SEEN_TIMEOUT_MS });
    const box = await empty.boundingBox();
    assert.ok(box && box.y + box.height <= 640 && box.width > 1000, JSON.stringify(box));
    assert.match(await empty.innerText(), /now on\. Read from the beginning\n/);

    await runLine(await empty.locator('code').innerText());
    await countReaches(page, 'applied', 1);
    assert.equal(await page.locator('.card.is-right .text').textContent(), 'text: hi');
    assert.equal(await empty.isHidden(), true);
    assert.deepEqual(errors, []);

    const { page: other } = await open(t, `${server.url}/?after=earliest&topic=nothing:here`);
    await other.locator('#empty').waitFor({ timeout: SEEN_TIMEOUT_MS });
    assert.equal((await other.locator('#empty').innerText()).trim(), 'Nothing has arrived yet');
});

test('while it is paused the picture stands still, and nothing is lost', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const { page } = await open(t, `${server.url}/?topic=page:notes:*&after=earliest`);
    await append(server.url, 'page:notes:a', range(1, 5));
    await countReaches(page, 'applied', 5);
    await page.locator('#pause').press('Enter');
    assert.equal(await focused(page), 'Go on');

    await append(server.url, 'page:notes:a', range(6, 10));
    // The same browser has them, and has had the time to draw them.
    await page.evaluate(async () => {
        const source = new EventSource('/v1/events?topic=page:notes:*&after=earliest');
        for (let events = 0; events < 10; events += 1) {
            await new Promise((resolve) => source.addEventListener('message', resolve, { once: true }));
        }
        source.close();
        for (let frames = 0; frames < 3; frames += 1) await new Promise(requestAnimationFrame);
    });
    assert.equal((await counts(page)).applied, 5);
    assert.equal(await page.locator('.card.is-right .text').textContent(), 'text: note 5');

    await page.locator('#pause').press('Enter');
    assert.equal(await focused(page), 'Pause');
    await countReaches(page, 'applied', 10);
    assert.equal(await page.locator('.card.is-right .text').textContent(), 'text: note 10');
    assert.equal(await page.locator('#log li').count(), 10);
});

test('a server that is killed and started again is followed without losing or repeating an event', async (t) => {
    const data = temporaryFolder();
    const first = await startServer({ data });
    t.after(() => first.kill());
    await append(first.url, 'page:notes:a', range(1, 20));
    const { page, errors } = await open(t, `${first.url}/?topic=page:notes:*&after=earliest`);
    await countReaches(page, 'applied', 20);
    await append(first.url, 'page:notes:b', range(1, 15));
    await countReaches(page, 'applied', 35);
    await status(page, 'live');

    const said = await page.evaluateHandle(() => {
        /** @type {(string | null)[]} */
        const said = [];
        const region = /** @type {Element} */ (document.querySelector('#announcer'));
        new MutationObserver(() => said.push(region.textContent)).observe(region, { childList: true, characterData: true, subtree: true });
        return said;
    });
    await first.kill();
    await status(page, 'backing_off');
    const second = await startServer({ data, listen: new URL(first.url).host });
    t.after(() => second.stop());
    await append(second.url, 'page:notes:a', [...range(21, 25), 3, 4]); // two reports about earlier versions
    await append(second.url, 'page:notes:c', [1]);
    await countReaches(page, 'applied', 41);
    await countReaches(page, 'stale', 2);
    await status(page, 'live');

    assert.deepEqual(await counts(page), { applied: 41, stale: 2, duplicate: 0, gap: 0 });
    const log = await readLog(second.url, 'page:notes:*');
    assert.equal(log.length, 43);
    for (const [stream, text] of [['a', 'text: note 25'], ['b', 'text: note 15'], ['c', 'text: note 1']]) {
        const card = page.locator(`[data-stream="page:notes:${stream}"] .card.is-right`);
        assert.equal(await card.locator('.text').textContent(), text);
    }
    const left = page.locator('[data-stream="page:notes:a"] .card.is-left');
    assert.equal(await left.locator('.text').textContent(), 'text: note 4');
    assert.equal(await page.locator('#score b').textContent(), '1');
    assert.deepEqual(errors, []);
    await page.waitForFunction(
        (said) => said.includes('Connection lost, trying again') && said.lastIndexOf('Live') > said.indexOf('Connection lost, trying again'),
        said,
        { timeout: SEEN_TIMEOUT_MS },
    );
});

test('an address that asks for what cannot be is told in words', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    for (const [query, words] of /** @type {const} */ ([
        ['after=foo', /^Stopped: after must be a position.*"foo"/],
        ['topic=a::b', /^Stopped: .*(topic|segment)/],
    ])) {
        const { page } = await open(t, `${server.url}/?${query}`);
        await status(page, 'failed');
        assert.match((await page.locator('#status').textContent()) ?? '', words);
    }
});

test('a flood of streams leaves a page of bounded size', async (t) => {
    const server = await startServer();
    t.after(() => server.stop());
    const total = 3_000;
    for (let from = 1; from <= total; from += 500) {
        const events = range(from, from + 499).map((number) => ({ ...note(1), subject: `flood:${number}`, source: 'page-test' }));
        await post(`${server.url}/v1/events`, events);
    }
    const { page } = await open(t, `${server.url}/?topic=flood:*&after=earliest`);
    await countReaches(page, 'applied', total);
    assert.equal(await page.locator('.pair').count(), 24);
    assert.ok(await page.evaluate(() => document.querySelectorAll('*').length) < 2_500);
    assert.equal(await page.locator('#score b').textContent(), '0');
    assert.match((await page.locator('#rest').textContent()) ?? '', /2,976 quieter ones are not/);
});

/**
 * @param {{ after: (close: () => Promise<void>) => void }} t
 * @param {string} url
 * @param {{ width: number, height: number }} [viewport]
 * @param {(page: Page) => Promise<void>} [prepare]
 */
async function open(t, url, viewport = { width: 1280, height: 900 }, prepare = async () => {}) {
    const context = await browser.newContext({ viewport });
    t.after(() => context.close());
    const page = await context.newPage();
    /** @type {string[]} */
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
        if (message.type() === 'error' && !NETWORK_ERROR.test(message.text())) errors.push(message.text());
    });
    await prepare(page);
    await page.goto(url);
    return { page, errors };
}

/**
 * Presses a button that does nothing while there is nothing to go to, again and again: what is wrong now may be right a
 * moment later.
 *
 * @param {Page} page
 * @param {string} button
 * @param {string} wanted
 */
async function pressUntilFocused(page, button, wanted) {
    const deadline = Date.now() + SEEN_TIMEOUT_MS;
    for (;;) {
        await page.locator(button).press('Enter');
        if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), wanted)) return;
        assert.ok(Date.now() < deadline, `nothing that is ${wanted} was gone to`);
    }
}

/** @param {Page} page */
function focused(page) {
    return page.evaluate(() => document.activeElement?.textContent);
}

/**
 * @param {Page} page
 * @param {string} wanted
 */
async function status(page, wanted) {
    await page.locator(`.status[data-status=${wanted}]`).waitFor({ timeout: SEEN_TIMEOUT_MS });
}

/**
 * @param {Page} page
 * @param {string} verdict
 * @param {number} least
 */
async function countReaches(page, verdict, least) {
    await page.waitForFunction(
        ([name, number]) => {
            const cell = document.querySelector(`.counters [data-verdict=${name}] .number`);
            return Number(cell?.textContent?.replaceAll(',', '')) >= Number(number);
        },
        [verdict, least],
        { timeout: SEEN_TIMEOUT_MS },
    );
}

/** @param {Page} page */
function counts(page) {
    return page.locator('.counters > div').evaluateAll((cells) =>
        Object.fromEntries(cells.map((cell) => [
            cell.getAttribute('data-verdict'),
            Number(cell.querySelector('.number')?.textContent?.replaceAll(',', '')),
        ])),
    );
}

/**
 * What the right side shows of each task, as one frame drew it.
 *
 * @param {Page} page
 */
function rightSide(page) {
    return page.locator('.pair').evaluateAll((pairs) =>
        pairs.flatMap((pair) => {
            const card = /** @type {HTMLElement} */ (pair.querySelector('.card.is-right'));
            const texts = (/** @type {string} */ selector) =>
                [...card.querySelectorAll(selector)].map((element) => element.textContent ?? '');
            if (card.dataset.revision === '0') return []; // waits for its first event
            return {
                stream: pair.getAttribute('data-stream') ?? '',
                revision: Number(card.dataset.revision),
                version: Number(card.dataset.version),
                code: texts('.line:not(del)').map((line) => (line === ' ' ? '' : line)).join('\n'),
                phase: texts('.phase').join(),
                bugs: card.querySelectorAll('.bugs li:not(.more)').length,
            };
        }),
    );
}

/**
 * How a task stands at a revision: every event up to it in order, but none whose version is below one before it.
 *
 * @param {any[]} log
 * @param {string} stream
 * @param {number} revision
 */
function foldOf(log, stream, revision) {
    let mark = 0;
    let version = 0;
    let code = '';
    let phase = '';
    /** @type {string[]} */
    let open = [];
    for (const event of log.filter((each) => each.subject === stream && each.revision <= revision)) {
        if (event.version < mark) continue;
        mark = event.version;
        const { data } = event;
        const inCorrection = phase === 'being corrected';
        open = open.filter((id) => !(data.addresses ?? []).includes(id));
        if (data.code !== undefined) ({ version, data: { code } } = event);
        if (event.type === 'task.code_generated.v1') phase = 'written, not tested yet';
        if (event.type === 'task.correction_started.v1') phase = 'being corrected';
        if (event.type === 'task.correction_completed.v1') phase = 'corrected, not tested yet';
        if (event.type === 'task.bug_report_received.v1') open.push(event.id);
        const failed = event.type === 'task.bug_report_received.v1' || data.failed > 0;
        if (failed && !inCorrection) phase = 'failing a test';
        if (data.failed === 0) phase = 'passing all its tests';
    }
    return { stream, revision, version, code, phase, bugs: Math.min(open.length, 4) };
}

/**
 * Appends notes, one after the other, each about the version that is its number.
 *
 * @param {string} url
 * @param {string} stream
 * @param {number[]} numbers
 */
async function append(url, stream, numbers) {
    await post(`${url}/v1/streams/${encodeURIComponent(stream)}`, numbers.map(note));
}

/** @param {number} number */
function note(number) {
    return { specversion: '1.0', source: 'page-test', type: 'note.written.v1', version: number, data: { text: `note ${number}` } };
}

/**
 * @param {string} url
 * @param {unknown[]} events
 */
async function post(url, events) {
    const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/cloudevents-batch+json' },
        body: JSON.stringify(events),
    });
    assert.equal(response.status, 201, await response.text());
}

/**
 * @param {number} from
 * @param {number} to
 */
function range(from, to) {
    return Array.from({ length: to - from + 1 }, (_, at) => from + at);
}
