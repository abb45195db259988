/**
 * The page of runs and proposals in Chromium, served by the real binary: what its buttons do shows at once, survives what others
 * do meanwhile, and is taken back where the server refuses it.
 */

import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';

import { launchChromium } from './lib/chromium.mjs';
import { checkAccess, give, holdBack, openPage } from './lib/pages.mjs';
import { startServer } from './lib/server.mjs';

/** @import { Browser, Page } from 'playwright-core' */

const COMMANDS = /^\/v1\/commands\//;
const LISTS = /^\/v1\/entities\//;
/** Who reviews elsewhere. */
const BEN = 'user:ben';
/** Executes the runs that are not for the server to execute. */
const RUNNER = 'user:runner';

suite('runs and proposals', () => {
    /** @type {Browser} */
    let browser;
    /** @type {Awaited<ReturnType<typeof startServer>>} */
    let server;
    before(async () => {
        [browser, server] = await Promise.all([launchChromium(), startServer()]);
    });
    after(async () => {
        await browser?.close();
        await server?.stop();
    });

    /**
     * @param {string} space
     * @param {'analysis_run' | 'proposal' | 'task'} entity
     * @param {string} id
     * @param {Omit<Parameters<typeof give>[3], 'source'>} command
     * @param {string} [source]
     */
    function command(space, entity, id, command, source = BEN) {
        const segment = { analysis_run: 'analysis_runs', proposal: 'proposals', task: 'tasks' }[entity];
        return give(server.url, entity, `space:${space}:${segment}:${id}`, { ...command, source });
    }

    /**
     * A run that has proposed so much, executed here.
     *
     * @param {string} space
     * @param {string[]} ids
     */
    async function propose(space, ids) {
        const proposals = ids.map((id) => ({ id, task: { title: `Fix ${id}`, description: `All of ${id}` } }));
        await command(space, 'analysis_run', 'r1', { type: 'create', data: {} }, RUNNER);
        await command(space, 'analysis_run', 'r1', { type: 'start', data: { executor: RUNNER, lease_ms: 3_600_000 } }, RUNNER);
        await command(space, 'analysis_run', 'r1', { type: 'record_batch', data: { index: 0, proposals, done: 1, total: 1 } }, RUNNER);
        await command(space, 'analysis_run', 'r1', { type: 'complete', data: {} }, RUNNER);
    }

    /**
     * @param {string} space
     * @param {string} entity
     * @param {string} id
     */
    async function stateOf(space, entity, id) {
        const answer = await fetch(`${server.url}/v1/streams/${encodeURIComponent(`space:${space}:${entity}:${id}`)}/state`);
        assert.equal(answer.status, 200);
        return (await answer.json()).state;
    }

    /**
     * @param {import('node:test').TestContext} t
     * @param {string} space
     * @param {Parameters<typeof openPage>[3]} [options]
     */
    async function open(t, space, options) {
        const opened = await openPage(browser, t, `${server.url}/runs?${new URLSearchParams({ space, as: 'anna' })}`, options);
        await opened.page.locator('.status[data-status=live]').waitFor();
        return opened;
    }

    /**
     * @param {Page} page
     * @param {string} id  Of a proposal.
     */
    function card(page, id) {
        const thing = page.locator(`#proposal .thing[data-stream$=":${id}"]`);
        return {
            thing,
            button: (/** @type {string} */ label) => thing.getByRole('button', { name: label }),
            status: (/** @type {string} */ words) => thing.locator('.state-word').getByText(words, { exact: true }).waitFor(),
            confirmed: () => page.waitForFunction((id) => document.querySelector(`#proposal .thing[data-stream$=":${id}"]:not(.is-pending)`), id),
            text: (/** @type {string} */ selector) => thing.locator(selector).textContent(),
        };
    }

    test('an approval shows at once, survives what somebody else does first, and is said to be processed until the list has it', async (t) => {
        await propose('rebase', ['p1', 'p2']);
        const { page, errors } = await open(t, 'rebase');
        const p1 = card(page, 'p1');
        await page.locator('#proposal .standing').getByText('2 wait for review').waitFor();
        const commands = await holdBack(page, COMMANDS);
        await p1.button('Approve').click();
        await p1.status('approved');
        assert.equal(await p1.text('.pending'), 'approving: not confirmed yet');
        await commands.isAsked;
        assert.equal((await stateOf('rebase', 'proposals', 'p1')).phase, 'pending');

        // Somebody edits it first. The event comes, and the approval stands on top of it.
        await command('rebase', 'proposal', 'p1', { type: 'edit', data: { title: 'Fix it properly' } });
        await p1.thing.getByText('Fix it properly').waitFor();
        await p1.status('approved');
        assert.match((await p1.text('.pending')) ?? '', /^approving: /);

        const lists = await holdBack(page, LISTS);
        await commands.letGo();
        await p1.confirmed();
        await page.locator('#proposal .standing').getByText('Processing…').waitFor();
        await lists.letGo();
        await page.locator('#proposal .standing').getByText('1 waits for review').waitFor();
        await p1.status('approved');
        assert.equal(await p1.text('.pending'), '');
        assert.equal(await p1.text('.refusal'), '');
        assert.equal((await stateOf('rebase', 'tasks', 'p1')).requirement, 'Fix it properly\n\nAll of p1');
        await page.locator('#analysis_run .facts > div', { hasText: 'Approved' }).locator('dd').getByText('1', { exact: true }).waitFor();
        assert.deepEqual(errors, []);
    });

    test('an approval is taken back, with the reason, when somebody rejected it first', async (t) => {
        await propose('first', ['p1', 'p2']);
        const { page, errors } = await open(t, 'first');
        const p1 = card(page, 'p1');
        const commands = await holdBack(page, COMMANDS);
        await p1.button('Approve').click();
        await p1.status('approved');
        await commands.isAsked;
        await command('first', 'proposal', 'p1', { type: 'reject', data: { reason: 'not now' } });
        await commands.letGo();
        await p1.status('rejected');
        await p1.thing.getByRole('alert').getByText(/^“Approve” was refused: the proposal was rejected by user:ben at .+, and that stands\.$/).waitFor();
        await p1.confirmed();
        assert.equal(await p1.thing.getByRole('button').count(), 0);
        assert.match(await p1.thing.innerText(), /Why\s+not now/);
        assert.equal((await stateOf('first', 'proposals', 'p1')).phase, 'rejected');
        assert.equal((await stateOf('first', 'analysis_runs', 'r1')).proposals_rejected, 1);
        assert.deepEqual(errors, []);
    });

    test('a review without a connection waits, and is recorded once', async (t) => {
        await propose('offline', ['p1']);
        /** @type {Promise<unknown>[]} */
        const known = [];
        const prepare = async (/** @type {Page} */ page) => {
            const isRead = (/** @type {string} */ stream) => page.waitForResponse((answer) => answer.url().includes(encodeURIComponent(`:${stream}`)));
            known.push(isRead('proposals:p1'), isRead('tasks:p1'), isRead('analysis_runs:r1'));
        };
        const { page } = await open(t, 'offline', { prepare });
        const p1 = card(page, 'p1');
        // What an approval is decided on is at hand, without anybody having asked for one.
        await Promise.all(known);
        await page.context().setOffline(true);
        await p1.button('Approve').click();
        await p1.status('approved');
        assert.match((await p1.text('.pending')) ?? '', /not confirmed yet/);
        await page.context().setOffline(false);
        await p1.confirmed();
        const run = await stateOf('offline', 'analysis_runs', 'r1');
        assert.deepEqual([run.phase, run.proposals_approved, run.proposals_pending], ['reviewed', 1, 0]);
    });

    test('merging, editing and rejecting ask for what they need, by keyboard too', async (t) => {
        await propose('forms', ['p1', 'p2', 'p3']);
        await command('forms', 'task', 't1', { type: 'gather_requirement', data: { requirement: 'As ever' } });
        const { page, errors } = await open(t, 'forms', { width: 390, height: 844 });
        const [p1, p2, p3] = [card(page, 'p1'), card(page, 'p2'), card(page, 'p3')];
        await p1.button('Merge into').press('Enter');
        await page.keyboard.type('nobody');
        await checkAccess(page);
        await page.keyboard.press('Enter');
        await p1.thing.getByRole('alert').getByText(/^“Merge into” was refused: there is no task 'nobody'/).waitFor();
        await p1.status('waits for review');
        await p1.button('Merge into').press('Enter');
        await page.keyboard.press('Escape');
        assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Merge into…');
        await page.keyboard.press('Enter');
        await page.keyboard.type('t1');
        await page.keyboard.press('Enter');
        await p1.status('merged');
        assert.equal(await p1.text('.refusal'), '');
        assert.equal(await page.evaluate(() => document.activeElement?.matches('.thing')), true, 'the focus stays where it was');
        await p1.confirmed();
        assert.equal((await stateOf('forms', 'proposals', 'p1')).review.task, 't1');

        await p2.button('Edit').click();
        await p2.thing.getByLabel('Title').fill('Something else');
        await p2.thing.getByRole('button', { name: 'Save' }).click();
        await p2.thing.getByRole('heading', { name: 'Something else' }).waitFor();
        await p2.confirmed();
        const edited = await stateOf('forms', 'proposals', 'p2');
        assert.deepEqual([edited.phase, edited.edits, edited.task.description], ['pending', 1, 'All of p2']);

        await p3.button('Reject').click();
        await p3.thing.getByLabel('Why').fill('too dear');
        await p3.thing.getByRole('button', { name: 'Reject' }).click();
        await p3.status('rejected');
        await p3.confirmed();
        const rejected = (await stateOf('forms', 'proposals', 'p3')).review;
        assert.deepEqual([rejected.by, rejected.reason], ['user:anna', 'too dear']);
        assert.deepEqual(errors, []);
    });

    test('runs and proposals that come later appear, and so does what others do to them', async (t) => {
        const { page, errors } = await open(t, 'later');
        await page.getByText('There is no run yet.').waitFor();
        await checkAccess(page);
        await propose('later', ['p1']);
        const p1 = card(page, 'p1');
        await p1.status('waits for review');
        await page.locator('#analysis_run .thing').getByText('done, proposals wait for review').waitFor();
        await page.locator('#analysis_run').getByRole('button', { name: 'Close' }).click();
        await page.locator('#analysis_run').getByRole('alert').getByText(/^“Close” was refused: 1 of 1 proposals are pending: review them first\.$/).waitFor();
        await command('later', 'proposal', 'p1', { type: 'approve', data: {} });
        await p1.status('approved');
        await page.locator('#analysis_run .thing').getByText('all proposals reviewed').waitFor();
        await page.locator('#proposal .standing').getByText('0 wait for review').waitFor();
        assert.deepEqual(errors, []);
    });

    test('all the way from what somebody says to a task, by buttons', async (t) => {
        const { page, errors } = await open(t, 'whole');
        for (const text of [
            'The export is broken since Monday: it fails with error 500. #export',
            'We must retry the export when the disk is full. #export',
            'Decision: we move the export to the new storage. #export',
        ]) {
            await page.getByLabel('Something that was said').fill(text);
            await page.getByRole('button', { name: 'Say it' }).click();
            await page.locator('#message').getByRole('heading', { name: text }).waitFor();
        }
        await page.waitForFunction(() => !document.querySelector('#message .is-pending'));
        await page.getByRole('button', { name: 'Extract knowledge' }).click();
        await page.locator('#knowledge .state-word').getByText(/proposals? found/).waitFor();

        const approvals = page.locator('#knowledge').getByRole('button', { name: 'Approve' });
        await approvals.first().waitFor();
        const wanted = Number(/(\d+) proposal/.exec((await page.locator('#knowledge .state-word').getByText(/found/).textContent()) ?? '')?.[1]);
        await page.waitForFunction((wanted) => document.querySelectorAll('#knowledge .thing[data-tone=waiting] .buttons button').length === 2 * wanted, wanted);
        for (let left = wanted; left > 0; left -= 1) {
            // A topic comes before its atoms.
            await approvals.first().click();
            await page.waitForFunction((left) => document.querySelectorAll('#knowledge .thing[data-tone=waiting]').length === left, left - 1);
        }
        await page.waitForFunction(() => !document.querySelector('#knowledge .is-pending'));
        await page.locator('#knowledge .standing').getByText('0 wait for review').waitFor();

        await page.getByRole('button', { name: 'New run' }).click();
        const run = page.locator('#analysis_run .thing');
        await run.getByText('not started').waitFor();
        await run.getByRole('button', { name: 'Start' }).click();
        await run.getByText('done, proposals wait for review').waitFor();
        await page.locator('#proposal').getByRole('button', { name: 'Approve' }).first().waitFor();
        const proposed = Number(await run.locator('.facts > div', { hasText: 'Proposals' }).locator('dd').textContent());
        await page.waitForFunction((proposed) => document.querySelectorAll('#proposal .thing[data-tone=waiting]').length === proposed, proposed);
        for (let left = proposed; left > 0; left -= 1) {
            await page.locator('#proposal').getByRole('button', { name: 'Approve' }).first().click();
            await page.waitForFunction((left) => document.querySelectorAll('#proposal .thing[data-tone=waiting]').length === left, left - 1);
        }
        await run.getByText('all proposals reviewed').waitFor();
        await run.getByRole('button', { name: 'Close' }).click();
        await run.getByText('100 % approved').waitFor();
        await page.waitForFunction(() => !document.querySelector('.is-pending'));

        const title = await page.locator('#proposal .thing h3').first().textContent();
        await page.locator('#proposal').getByRole('link', { name: 'Its task' }).first().click();
        await page.locator('#past-title').getByText('The state now').waitFor();
        assert.ok((await page.locator('#past .purpose').textContent())?.startsWith(title ?? '?'));
        assert.deepEqual(errors, []);
    });

    test('of many proposals some are shown, and what is reviewed makes room for the others', async (t) => {
        await propose('many', Array.from({ length: 40 }, (_, at) => `p${at + 1}`));
        const { page, errors } = await open(t, 'many');
        await page.locator('#proposal .standing').getByText('40 wait for review, 10 of them not shown yet').waitFor();
        assert.equal(await page.locator('#proposal .thing').count(), 30);
        await card(page, 'p1').button('Approve').click();
        // It stays while the user is at it.
        await page.locator('#proposal .standing').getByText('39 wait for review, 10 of them not shown yet').waitFor();
        await card(page, 'p1').status('approved');
        await card(page, 'p2').button('Approve').click();
        await page.locator('#proposal .standing').getByText('38 wait for review, 9 of them not shown yet').waitFor();
        assert.equal(await card(page, 'p1').thing.count(), 0);
        await card(page, 'p31').status('waits for review');
        assert.equal(await page.locator('#proposal .thing').count(), 30);
        assert.deepEqual(errors, []);
    });

    test('two runs at once: the second is taken back with the reason', async (t) => {
        await command('guard', 'analysis_run', 'r1', { type: 'create', data: {} });
        const { page } = await open(t, 'guard');
        await page.locator('#analysis_run .thing').getByText('not started').waitFor();
        await page.getByRole('button', { name: 'New run' }).click();
        await page.locator('#analysis_run').getByRole('alert').getByText(/^“New run” was refused: the run 'r1' is open/).waitFor();
        await page.locator('#analysis_run .thing[data-stream$=":r1"]').getByRole('button', { name: 'Cancel' }).click();
        await page.locator('#analysis_run .thing[data-stream$=":r1"]').getByText('cancelled').waitFor();
    });

    test('a space that cannot be read is told in words', async (t) => {
        const prepare = (/** @type {Page} */ page) => page.route('**/v1/entities/**', (route) => route.fulfill({ status: 503, json: { detail: 'the lists are closed' } }));
        const { page } = await openPage(browser, t, `${server.url}/runs`, { prepare });
        await page.getByText('This space cannot be read: the lists are closed. Reload to try again.').waitFor();
    });
});
