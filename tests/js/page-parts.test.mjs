/**
 * The page's pure parts: what an event does to what is shown, where the sides differ, and how a verdict is told.
 */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

import { COUNTS_EVERY_MS, newAnnouncer, STATUS_EVERY_MS } from '../../www/announcer.js';
import { Board, STREAM_LIMIT, TRAIL_LIMIT } from '../../www/board.js';
import { differences, surplusBugs } from '../../www/compare.js';
import { diffLines } from '../../www/lines.js';
import { Moved, MOVED_LIMIT } from '../../www/moved.js';
import { naiveReader } from '../../www/naive.js';
import { apply, BUG_LIMIT, NOTHING } from '../../www/task.js';
import { clockTime, lostSentence, resetSentence, sentence, shortName } from '../../www/words.js';

const STREAM = 'space:demo:tasks:fib';

/**
 * @param {string} name
 * @param {number} revision
 * @param {number} version
 * @param {unknown} [data]
 */
function event(name, revision, version, data = {}) {
    const id = `event-${revision}`;
    return { id, subject: STREAM, type: `task.${name}.v1`, revision, version, data, time: '2026-11-20T12:23:40.199775Z' };
}

/** A task that is written, found wrong, corrected; and one report about the old code that was recorded last. */
const STORY = [
    event('code_generated', 1, 1, { task: 'Give the n-th Fibonacci number', code: 'let a = 1;\na', hash: 'h1' }),
    event('bug_report_received', 2, 1, { bug: { case: 'fib(0)', expected: '0', got: '1' }, hash: 'h1' }),
    event('correction_started', 3, 1, { target_version: 1 }),
    event('correction_completed', 4, 2, { code: 'let a = 0;\na', hash: 'h2', addresses: ['event-2'] }),
    event('quality_checked', 5, 2, { hash: 'h2', passed: 3, failed: 0, addresses: [] }),
];
const LATE = event('bug_report_received', 6, 1, { bug: { case: 'fib(1)', expected: '1', got: '2' }, hash: 'h1' });

/** @param {ReturnType<typeof event>[]} events */
const fold = (events) => events.reduce(apply, NOTHING);

suite('the reducer', () => {
    test('a task goes from written to passing', () => {
        const phases = STORY.map((_, at) => fold(STORY.slice(0, at + 1)).phase);
        assert.deepEqual(phases, [
            'written, not tested yet',
            'failing a test',
            'being corrected',
            'corrected, not tested yet',
            'passing all its tests',
        ]);
        const done = fold(STORY);
        assert.equal(done.version, 2);
        assert.equal(done.code, 'let a = 0;\na');
        assert.equal(done.codeBefore, 'let a = 1;\na');
        assert.equal(done.purpose, 'Give the n-th Fibonacci number');
        assert.deepEqual(done.bugs, []);
    });

    test('a correction answers only the reports that it names', () => {
        const other = event('bug_report_received', 3, 1, { bug: 'it is slow' });
        const state = fold([...STORY.slice(0, 2), other, event('correction_completed', 4, 2, { addresses: ['event-2'] })]);
        assert.deepEqual(state.bugs, [{ id: 'event-3', version: 1, text: 'it is slow' }]);
    });

    test('a check answers reports too, and may fail', () => {
        const state = fold([...STORY.slice(0, 2), event('quality_checked', 3, 1, { failed: 1, addresses: ['event-2'] })]);
        assert.equal(state.phase, 'failing a test');
        assert.deepEqual(state.bugs, []);
    });

    test('a bug is told as call, result and what it should be', () => {
        assert.equal(fold(STORY.slice(0, 2)).bugs[0]?.text, 'fib(0) gave 1, should be 0');
    });

    test('any other stream shows its last event', () => {
        const edit = { ...event('', 7, 0, { page: 'Tide', delta: 36, city: null }), type: 'wiki.edited.v1' };
        const state = apply(NOTHING, edit);
        assert.equal(state.kind, 'other');
        assert.equal(state.revision, 7);
        assert.equal(state.text, 'page: Tide, delta: 36');
    });

    test('data of any shape is taken', () => {
        for (const data of [null, undefined, 7, 'x', [], { code: 7, addresses: 'no', bug: { case: {} } }]) {
            for (const { type } of STORY) {
                const state = apply(NOTHING, { ...event('', 1, 1, data), type });
                assert.equal(typeof state.code, 'string');
            }
        }
    });

    test('neither bugs nor text grow without bound', () => {
        const reports = Array.from({ length: BUG_LIMIT * 2 }, (_, at) => event('bug_report_received', at + 1, 1, { bug: 'x'.repeat(10_000) }));
        const state = fold(reports);
        assert.equal(state.bugs.length, BUG_LIMIT);
        assert.ok(JSON.stringify(state).length < 20_000);
    });
});

suite('the comparison', () => {
    const caughtUp = { seenLeft: 6, judgedRight: 6 };

    test('equal states differ in nothing', () => {
        assert.deepEqual(differences(fold(STORY), fold(STORY), caughtUp), []);
    });

    test('a late report is a bug too many and a wrong phase', () => {
        const found = differences(fold([...STORY, LATE]), fold(STORY), caughtUp);
        assert.deepEqual(found.map(({ where }) => where), ['bugs', 'phase']);
        assert.equal(found[0]?.why, 'It lists 1 bug too many.');
    });

    test('old code is told as an old version', () => {
        const [code, ...rest] = STORY;
        assert.ok(code);
        const found = differences(fold([...rest, code]), fold(STORY), caughtUp);
        assert.equal(found[0]?.why, 'It shows version 1. The newest is 2.');
    });

    test('while Highwater waits for what is missing, nobody is wrong', () => {
        assert.deepEqual(differences(fold([LATE]), fold(STORY), { seenLeft: 6, judgedRight: 5 }), []);
    });

    test('a side that got less is told that it lacks something', () => {
        const found = differences(fold(STORY.slice(0, 3)), fold(STORY), { seenLeft: 3, judgedRight: 5 });
        assert.deepEqual(found.map(({ where }) => where), ['behind', 'version', 'bugs', 'phase']);
    });

    test('a bug that is listed twice is one too many', () => {
        const [code, report] = STORY;
        assert.ok(code && report);
        assert.deepEqual([...surplusBugs(fold([code, report, report]), fold([code, report]))], [1]);
    });
});

suite('what moved', () => {
    test('is known by name, and beyond a limit it is everything', () => {
        const moved = new Moved();
        for (let number = 1; number <= MOVED_LIMIT; number += 1) moved.add(`a:${number}`);
        assert.deepEqual([moved.has('a:1'), moved.has('a:0')], [true, false]);
        moved.add('a:one too many');
        assert.deepEqual([moved.has('a:1'), moved.has('a:0')], [true, true]);
        moved.clear();
        assert.deepEqual([moved.has('a:1'), moved.has('a:0')], [false, false]);
    });
});

suite('the board', () => {
    test('counts how often the left went wrong, and is right again once both agree', () => {
        const board = new Board();
        for (const each of STORY) {
            board.arrived(each);
            board.applied(each);
        }
        assert.deepEqual(board.summary(), { known: 1, wrong: 0, putAway: 0, timesWrong: 0, tasksOnly: true });
        board.arrived(LATE);
        board.dropped({ stream: STREAM, revision: 6, version: 1, type: LATE.type, time: LATE.time });
        assert.equal(board.summary().wrong, 1);
        const check = event('quality_checked', 7, 2, { failed: 0, addresses: ['event-6'] });
        board.arrived(check);
        board.applied(check);
        assert.equal(board.summary().wrong, 0);
        assert.equal(board.summary().timesWrong, 1);
    });

    test('remembers a bounded number of streams and arrivals, and accuses nobody of what it forgot', () => {
        const board = new Board();
        for (let number = 0; number < STREAM_LIMIT * 3; number += 1) {
            board.arrived({ ...event('code_generated', 1, 1), subject: `a:${number}` });
        }
        for (let number = 0; number < STREAM_LIMIT * 3; number += 1) {
            board.applied({ ...event('code_generated', 1, 1), subject: `a:${number}` });
        }
        assert.equal(board.summary().known, STREAM_LIMIT);
        assert.equal(board.summary().wrong, 0);
        for (let revision = 1; revision <= TRAIL_LIMIT * 2; revision += 1) {
            board.arrived({ ...event('correction_started', revision, 1), subject: 'a:b' });
        }
        assert.equal(board.find('a:b')?.left.trail.length, TRAIL_LIMIT);
    });

    test('shows what moved last, and keeps what is wrong in sight', () => {
        const board = new Board();
        for (const each of STORY) board.applied({ ...each, subject: 'a:wrong' });
        for (const each of [...STORY, LATE]) board.arrived({ ...each, subject: 'a:wrong' });
        board.dropped({ stream: 'a:wrong', revision: 6, version: 1, type: LATE.type, time: LATE.time });
        for (let number = 0; number < 50; number += 1) {
            const first = { ...event('code_generated', 1, 1), subject: `a:${number}` };
            board.arrived(first);
            board.applied(first);
        }
        const seen = board.seen(4).map(({ stream }) => stream);
        assert.deepEqual(seen, ['a:49', 'a:48', 'a:wrong', 'a:47']);
    });

    test('does not blame the left for what is merely late, but for what it will never get', () => {
        const board = new Board();
        const wrong = () => board.summary().wrong;
        for (const each of STORY.slice(0, 2)) board.arrived(each);
        for (const each of STORY) board.applied(each); // the rest was fetched
        assert.equal(wrong(), 0);
        assert.deepEqual(board.find(STREAM)?.truth, fold(STORY.slice(0, 2)));
        for (const each of STORY.slice(2)) {
            board.arrived(each);
            assert.equal(wrong(), 0, each.type);
        }
        const check = event('quality_checked', 6, 2, { failed: 1 });
        board.applied(check);
        assert.equal(wrong(), 0);
        assert.deepEqual(board.reconnected(), [STREAM]);
        assert.equal(wrong(), 1);
        assert.deepEqual(board.find(STREAM)?.differences.map(({ where }) => where), ['behind', 'phase']);
        assert.deepEqual(board.find(STREAM)?.truth, fold([...STORY, check]));
    });

    test('blames the left for what is wrong in it, also while it is late', () => {
        const board = new Board();
        const [code, report, start] = STORY;
        assert.ok(code && report && start);
        for (const each of [code, report, report, start]) board.arrived(each);
        for (const each of STORY) board.applied(each);
        assert.deepEqual(board.find(STREAM)?.differences.map(({ where }) => where), ['bugs']);
    });

    test('a new log makes each side forget in its own time', () => {
        const board = new Board();
        const [first] = STORY;
        assert.ok(first);
        board.arrived(first);
        board.applied(first);
        board.applied({ ...first, revision: 2 });
        board.reconnected();
        board.forgetLeft();
        board.arrived({ ...first, version: 7 });
        board.forgetRight();
        board.applied({ ...first, version: 7 });
        assert.deepEqual(board.summary(), { known: 1, wrong: 0, putAway: 0, timesWrong: 0, tasksOnly: true });
        board.forgetLeft();
        board.forgetRight();
        assert.equal(board.summary().known, 0);
    });
});

suite('the announcer', () => {
    /** @param {{ mock: { timers: { enable: (options: any) => void, tick: (ms: number) => void } } }} t */
    function listen(t) {
        t.mock.timers.enable({ apis: ['setTimeout'] });
        /** @type {string[]} */
        const said = [];
        return { said, announcer: newAnnouncer((text) => said.push(text)) };
    }

    test('says how the connection is before the counts, and never loses it to them', (t) => {
        const { said, announcer } = listen(t);
        announcer.counts('1 wrong');
        announcer.counts('2 wrong');
        announcer.status('lost');
        announcer.counts('3 wrong');
        assert.deepEqual(said, ['1 wrong', 'lost']);
        t.mock.timers.tick(STATUS_EVERY_MS);
        assert.deepEqual(said, ['1 wrong', 'lost', '3 wrong']);
    });

    test('says counts every few seconds at most, and the last ones', (t) => {
        const { said, announcer } = listen(t);
        for (let wrong = 1; wrong <= 5; wrong += 1) announcer.counts(`${wrong} wrong`);
        t.mock.timers.tick(COUNTS_EVERY_MS - 1);
        assert.deepEqual(said, ['1 wrong']);
        t.mock.timers.tick(1);
        assert.deepEqual(said, ['1 wrong', '5 wrong']);
        t.mock.timers.tick(10 * COUNTS_EVERY_MS);
        assert.deepEqual(said, ['1 wrong', '5 wrong']);
    });

    test('says each status in its turn, and of a connection that comes and goes how it is in the end', (t) => {
        const { said, announcer } = listen(t);
        for (const status of ['live', 'lost', 'live']) announcer.status(status);
        announcer.counts('1 wrong');
        assert.deepEqual(said, ['live']);
        for (let turn = 0; turn < 3; turn += 1) t.mock.timers.tick(STATUS_EVERY_MS);
        assert.deepEqual(said, ['live', 'lost', 'live', '1 wrong']);
        for (const status of ['lost', 'live', 'lost', 'live', 'lost']) announcer.status(status);
        for (let turn = 0; turn < 9; turn += 1) t.mock.timers.tick(STATUS_EVERY_MS);
        assert.deepEqual(said.slice(4), ['lost', 'live', 'lost']);
    });

    test('goes on to the counts where the status is as it was', (t) => {
        const { said, announcer } = listen(t);
        announcer.status('live');
        announcer.status('live');
        announcer.counts('1 wrong');
        t.mock.timers.tick(STATUS_EVERY_MS);
        assert.deepEqual(said, ['live', '1 wrong']);
    });
});

suite('the lines', () => {
    test('say what is new, what went and what stayed', () => {
        const lines = diffLines('a\nb\nc\n', 'a\nx\nc\nd\n').map(({ change, text }) => `${change} ${text}`);
        assert.deepEqual(lines, ['same a', 'removed b', 'added x', 'same c', 'added d']);
    });

    test('a first text has no changes, nor has one that is too long to compare', () => {
        assert.deepEqual(diffLines('', 'a\nb').map(({ change }) => change), ['same', 'same']);
        const long = Array.from({ length: 1_000 }, (_, at) => `line ${at}`).join('\n');
        assert.ok(diffLines('a', long).every(({ change }) => change === 'same'));
    });

    test('lead from either text to the other', () => {
        const texts = ['', 'a', 'a\nb\na', 'b\na\nb\nb', 'c\na\n\nb'];
        for (const before of texts.slice(1)) {
            for (const after of texts) {
                const lines = diffLines(before, after);
                const without = (/** @type {string} */ change) => lines.filter((line) => line.change !== change).map(({ text }) => text);
                assert.equal(without('removed').join('\n'), after);
                assert.equal(without('added').join('\n'), before);
            }
        }
    });
});

suite('the naive reader', () => {
    test('applies what comes, in whatever pieces it comes', () => {
        const text = `id: x-1\nprev: 0\ndata: ${JSON.stringify(STORY[0])}\n\nevent: highwater\ndata: {"kind":"ready"}\n\n`
            + `data: {broken\n\ndata: ${JSON.stringify({ ...LATE, data: 'Ünïcödé' })}\n\n`;
        const bytes = new TextEncoder().encode(text);
        for (const size of [1, 2, 7, 64, bytes.length]) {
            /** @type {unknown[]} */
            const got = [];
            const read = naiveReader({ onEvent: (each) => got.push(each.data), onReset: () => assert.fail() });
            for (let at = 0; at < bytes.length; at += size) read(bytes.subarray(at, at + size));
            assert.deepEqual(got, [STORY[0]?.data, 'Ünïcödé']);
        }
    });

    test('hears of a new log', () => {
        let resets = 0;
        const read = naiveReader({ onEvent: () => assert.fail(), onReset: () => (resets += 1) });
        read(new TextEncoder().encode('event: highwater\ndata: {"kind":"reset","reason":"epoch_changed"}\n\n'));
        assert.equal(resets, 1);
    });
});

suite('the words', () => {
    const known = { version: 2, revision: 4 };
    const header = { stream: STREAM, revision: 5, version: 1, type: 'task.bug_report_received.v1', time: '' };

    test('say why', () => {
        assert.equal(sentence('stale', header, known), 'Report about version 1 came after version 2: dropped from state.');
        assert.equal(sentence('duplicate', { ...header, revision: 3 }, known), 'Already judged: revision 3 came again. Nothing changes.');
        assert.equal(sentence('gap', { ...header, revision: 6 }, known), 'Revision 5 before this is missing: held back and fetching.');
        assert.match(sentence('gap', header, known), /^Something before this is missing/);
        assert.equal(sentence('applied', { ...header, type: 'wiki.edited.v1', version: 0 }, known), 'Message taken over.');
        assert.match(resetSentence('epoch_changed'), /another log/);
        assert.match(lostSentence(2, 2), /no longer has revision 2:/);
        assert.match(lostSentence(2, 5), /no longer has revisions 2 to 5:/);
    });

    test('name streams and times as people do', () => {
        assert.equal(shortName(STREAM), 'fib');
        assert.equal(shortName('wiki:en:High%20tide'), 'High tide');
        assert.equal(shortName('wiki:en:100%'), '100%');
        assert.equal(clockTime('no time'), '');
        assert.match(clockTime('2015-09-12T10:28:40Z'), /2015/);
        assert.doesNotMatch(clockTime(new Date().toISOString()), new RegExp(String(new Date().getFullYear())));
    });
});
