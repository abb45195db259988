/** The pure parts of the page of runs and proposals: places in the log, a list that is a little behind, and what is said and may be done. */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

import { Listing } from '../../www/listing.js';
import { newOthers } from '../../www/others.js';
import { earliest, isBefore } from '../../www/positions.js';
import { knowledgeFace, proposalFace, runFace, shortId } from '../../www/review-words.js';

suite('places in the log', () => {
    test('lie before each other by their sequence, within one log', () => {
        assert.equal(isBefore('k3x9q7ma-9', 'k3x9q7ma-10'), true);
        assert.equal(isBefore('k3x9q7ma-10', 'k3x9q7ma-10'), false);
        assert.equal(isBefore('k3x9q7ma-11', 'k3x9q7ma-10'), false);
        assert.equal(isBefore('k3x9q7ma-1', 'other-10'), false);
        assert.equal(isBefore('', 'k3x9q7ma-10'), false);
        assert.equal(earliest(['a-30', 'a-7', 'a-12']), 'a-7');
    });
});

suite('a list', () => {
    function newList() {
        /** @type {{ minPosition: string, resolve: (page: any) => void, reject: (error: Error) => void }[]} */
        const reads = [];
        let changes = 0;
        const listing = new Listing({
            read: ({ minPosition }) => new Promise((resolve, reject) => reads.push({ minPosition, resolve, reject })),
            changed: () => (changes += 1),
            restMs: 0,
        });
        return { listing, reads, changes: () => changes };
    }
    const page = (/** @type {string} */ position, /** @type {string[]} */ ...ids) => ({ items: ids.map((id) => ({ id })), position, next: null });
    /** @param {() => boolean} isSo */
    async function until(isSo) {
        for (let turns = 0; !isSo(); turns += 1) {
            assert.ok(turns < 1_000, 'it never is');
            await new Promise((resolve) => setImmediate(resolve));
        }
    }

    test('is behind until it has come to what the user did, and insists on that', async (t) => {
        t.mock.timers.enable({ apis: ['setTimeout'] });
        const { listing, reads } = newList();
        const reading = listing.refresh();
        listing.did('a-20');
        listing.did('a-15');
        assert.equal(listing.isBehind, true);
        reads[0]?.resolve(page('a-10', 'one'));
        await until(() => listing.items.length === 1);
        assert.equal(listing.isBehind, true);
        t.mock.timers.tick(0);
        await until(() => reads.length === 2);
        assert.equal(reads[1]?.minPosition, 'a-20');
        reads[1]?.resolve(page('a-21', 'one', 'two'));
        await until(() => listing.items.length === 2);
        assert.equal(listing.isBehind, false);
        t.mock.timers.tick(0);
        await reading;
        assert.equal(reads.length, 2);
    });

    test('is read once more however often something happened meanwhile', async (t) => {
        t.mock.timers.enable({ apis: ['setTimeout'] });
        const { listing, reads } = newList();
        const reading = listing.refresh();
        for (let times = 0; times < 10; times += 1) void listing.refresh();
        reads[0]?.resolve(page('a-1'));
        await until(() => listing.position === 'a-1');
        t.mock.timers.tick(0);
        await until(() => reads.length === 2);
        reads[1]?.resolve(page('a-2'));
        await until(() => listing.position === 'a-2');
        t.mock.timers.tick(0);
        await reading;
        assert.equal(reads.length, 2);
    });

    test('comes to what others did without being called behind', async (t) => {
        t.mock.timers.enable({ apis: ['setTimeout'] });
        const { listing, reads } = newList();
        const reading = listing.refresh();
        listing.heard('a-20');
        assert.equal(listing.isBehind, false);
        reads[0]?.resolve(page('a-19'));
        await until(() => listing.position === 'a-19');
        t.mock.timers.tick(0);
        await until(() => reads.length === 2);
        assert.equal(reads[1]?.minPosition, 'a-20');
        reads[1]?.resolve(page('a-20'));
        await until(() => listing.position === 'a-20');
        t.mock.timers.tick(0);
        await reading;
        assert.equal(reads.length, 2);
    });

    test('that cannot be read says why, keeps what it had, and tries again', async (t) => {
        t.mock.timers.enable({ apis: ['setTimeout'] });
        const { listing, reads } = newList();
        const reading = listing.refresh();
        reads[0]?.reject(new Error('no answer'));
        await until(() => listing.error !== undefined);
        assert.equal(listing.error?.message, 'no answer');
        t.mock.timers.tick(1_000);
        await until(() => reads.length === 2);
        reads[1]?.reject(Object.assign(new Error('not there yet'), { code: 'behind' }));
        await until(() => listing.error === undefined);
        t.mock.timers.tick(1_000);
        await until(() => reads.length === 3);
        reads[2]?.resolve(page('a-2', 'one'));
        await until(() => listing.items.length === 1);
        assert.equal(listing.error, undefined);
        t.mock.timers.tick(0);
        await reading;
    });
});

suite('what is said, and may be done', () => {
    /** @param {{ actions: { label: string }[] }} face */
    const labels = ({ actions }) => actions.map(({ label }) => label);

    test('a run, in each of its phases', () => {
        const cases = /** @type {const} */ ([
            ['new', []], ['pending', ['Start', 'Cancel']], ['running', ['Cancel']], ['completed', ['Close']], ['reviewed', ['Close']],
            ['closed', []], ['failed', []], ['cancelled', []],
        ]);
        for (const [phase, wanted] of cases) {
            const face = runFace('r1', { phase, progress_percent: 40, proposals_total: 3, proposals_pending: 1 });
            assert.deepEqual(labels(face), wanted, phase);
            assert.equal(face.percent, ['running', 'completed', 'reviewed'].includes(phase) ? 40 : undefined);
        }
        assert.equal(runFace('r1', { phase: 'failed', reason: 'lease_expired' }).text, 'Why: lease_expired');
        const closed = runFace('r1', { phase: 'closed', accuracy: { approved_permille: 667 } });
        assert.ok(closed.facts.some(([name, value]) => name === 'Accuracy' && value === '66.7 % approved'));
    });

    test('a proposal waits with four ways out, and has none once it is reviewed', () => {
        const task = { title: 'Fix it', description: 'Now', priority: 'high', confidence_percent: 80, sources: ['a:b'] };
        const waiting = proposalFace('p1', { phase: 'pending', run: 'r1', task, edits: 0 });
        assert.deepEqual(labels(waiting), ['Approve', 'Reject', 'Merge into…', 'Edit']);
        const review = { by: 'user:ben', at: '2015-09-12T10:28:40Z', task: null, reason: 'no' };
        const done = proposalFace('p1', { phase: 'rejected', run: 'r1', task, edits: 1, review });
        assert.deepEqual([done.status, done.tone, labels(done), done.taskId], ['rejected', 'bad', [], undefined]);
        assert.ok(done.facts.some(([name, value]) => name === 'Why' && value === 'no'));
        assert.equal(proposalFace('p1', { phase: 'merged', task, review: { ...review, task: 't7' } }).taskId, 't7');
    });

    test('a command says what was given, and an edit only what was changed', () => {
        const { actions } = proposalFace('p1', { phase: 'pending', task: { title: 'Fix it', description: 'Now' } });
        const command = (/** @type {number} */ at, /** @type {Record<string, string>} */ values) => actions[at]?.command(values);
        assert.deepEqual(command(0, {}), { type: 'approve', data: {} });
        assert.deepEqual(command(1, { reason: '' }), { type: 'reject', data: {} });
        assert.deepEqual(command(1, { reason: 'no' }), { type: 'reject', data: { reason: 'no' } });
        assert.deepEqual(command(2, { into: 't1' }), { type: 'merge', data: { into: 't1' } });
        assert.deepEqual(command(3, { title: 'Fix it', description: 'Soon' }), { type: 'edit', data: { description: 'Soon' } });
    });

    test('knowledge is an extraction, a proposal or approved', () => {
        assert.equal(knowledgeFace('e1', { kind: 'extraction', phase: 'requested', proposals: [] }).status, 'being read');
        assert.equal(knowledgeFace('e1', { kind: 'extraction', phase: 'completed', proposals: ['a'] }).status, '1 proposal found');
        const proposal = { kind: 'proposal', phase: 'pending', item: { atom: { kind: 'problem', title: 'Broken', text: 'It is', keywords: ['x'], topic: 't' } } };
        const face = knowledgeFace('k1', proposal);
        assert.deepEqual([face.title, labels(face)], ['Broken', ['Approve', 'Reject']]);
        assert.deepEqual(face.facts, [['Kind', 'problem'], ['Topic', 't'], ['Keywords', 'x']]);
        assert.deepEqual(labels(knowledgeFace('k1', { ...proposal, phase: 'approved' })), []);
    });

    test('nothing that has not come yet, or is odd, stops the page', () => {
        for (const face of [runFace, proposalFace, knowledgeFace]) {
            for (const state of [undefined, null, {}, { phase: 'unheard of' }, { kind: 'none' }]) assert.deepEqual(labels(face('x', state)), []);
        }
    });

    test('long names are shortened where they say nothing', () => {
        assert.equal(shortId('0190b5a2-1111-7222-8333-444455556666'), '0190b5…');
        assert.equal(shortId('topic-4e4d0c91309ba9717b2a9900-t0'), 'topic-4e4d0c…-t0');
        assert.equal(shortId('nightly'), 'nightly');
    });
});

suite('what decisions depend on', () => {
    test('is there once, as long as somebody needs it', () => {
        /** @type {string[]} */
        const told = [];
        const newUser = newOthers((stream) => {
            told.push(`open ${stream}`);
            return { close: () => told.push(`close ${stream}`) };
        });
        const [one, other] = [newUser(), newUser()];
        one(['a', 'b']);
        other(['b', 'b']);
        one(['b', 'c']);
        assert.deepEqual(told, ['open a', 'open b', 'open c', 'close a']);
        one([]);
        assert.deepEqual(told.slice(4), ['close c']);
        other([]);
        other([]);
        assert.deepEqual(told.slice(5), ['close b']);
    });
});
