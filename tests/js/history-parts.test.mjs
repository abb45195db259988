/**
 * The pure parts of the page of a task's history: clocks, the row of events that is shown, where they stand in the diagram, and
 * states that are asked for while somebody moves a slider.
 */

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

import { compareClocks, parseClock } from '../../www/clocks.js';
import { LANES_MAX, layOut, relationsTo } from '../../www/diagram.js';
import { EventWindow, WINDOW_EVENTS_MAX } from '../../www/event-window.js';
import { CACHED_MAX, newPast } from '../../www/past.js';

/** @import { CloudEvent } from 'highwater' */

/**
 * @param {number} revision
 * @param {Partial<CloudEvent>} [more]
 * @returns {CloudEvent}
 */
function event(revision, more = {}) {
    return {
        specversion: '1.0', id: `evt-${revision}`, source: 'tester', type: 'task.bug_report_received.v1', subject: 'space:1:tasks:a', time: '',
        recordedtime: '', sequence: String(revision).padStart(16, '0'), revision, version: 1, clock: `tester=${revision}`, ...more,
    };
}

suite('clocks', () => {
    test('are read as the server writes them, and what cannot be read says nothing', () => {
        assert.deepEqual([...parseClock('a%2Cb=2,%C3%A9=10')], [['a,b', 2], ['é', 10]]);
        for (const text of [undefined, '', 'a', 'a=', 'a=0', 'a=-1', 'a=1,', 'a=1,b', 'a=1;b=2', 'a=12345678901234567890']) {
            assert.equal(parseClock(text).size, 0, text);
        }
        assert.deepEqual([...parseClock('100%=1')], [['100%', 1]]);
    });

    test('stand to each other as what they have seen does', () => {
        const cases = /** @type {const} */ ([
            ['a=1', 'a=1', 'same'],
            ['a=1', 'a=2', 'before'],
            ['a=1', 'a=1,b=1', 'before'],
            ['a=2', 'a=1', 'after'],
            ['a=1,b=2', 'a=2,b=1', 'concurrent'],
            ['a=1', 'b=1', 'concurrent'],
            ['', 'a=1', 'unknown'],
            ['a=1', '', 'unknown'],
        ]);
        const opposite = { same: 'same', before: 'after', after: 'before', concurrent: 'concurrent', unknown: 'unknown' };
        for (const [one, other, relation] of cases) {
            assert.equal(compareClocks(parseClock(one), parseClock(other)), relation, `${one} and ${other}`);
            assert.equal(compareClocks(parseClock(other), parseClock(one)), opposite[relation], `${other} and ${one}`);
        }
    });
});

suite('the row of events', () => {
    test('knows what is stale and what brought a version, from before its first event on', () => {
        const row = new EventWindow();
        row.replace([event(5, { version: 2 }), event(6, { version: 3 }), event(7, { version: 2 })], { last: 7, versionBefore: 3 });
        assert.deepEqual(row.entries.map(({ isStale }) => isStale), [true, false, true]);
        assert.ok(row.entries.every(({ isRaise }) => !isRaise));
        row.add(event(8, { version: 4 }));
        row.add(event(9, { version: 3 }));
        assert.deepEqual(row.entries.slice(3).map(({ isStale, isRaise }) => [isStale, isRaise]), [[false, true], [true, false]]);
    });

    test('takes what comes next, tells what does not, and is bounded', () => {
        const row = new EventWindow();
        for (let revision = 1; revision <= 2 * WINDOW_EVENTS_MAX; revision += 1) assert.equal(row.add(event(revision)), true);
        assert.equal(row.entries.length, WINDOW_EVENTS_MAX);
        assert.deepEqual([row.first, row.last, row.isAtEnd], [WINDOW_EVENTS_MAX + 1, 2 * WINDOW_EVENTS_MAX, true]);
        assert.equal(row.add(event(7)), true, 'it was here before');
        assert.equal(row.add(event(2 * WINDOW_EVENTS_MAX + 2)), false, 'something before it is missing');
        assert.equal(row.isAtEnd, false);
        assert.equal(row.entries.length, WINDOW_EVENTS_MAX);
    });

    test('stays where it is while it shows something earlier', () => {
        const row = new EventWindow();
        row.replace([event(1), event(2)], { last: 10, versionBefore: 0 });
        assert.equal(row.add(event(11)), false);
        assert.deepEqual([row.entries.length, row.last, row.isAtEnd], [2, 11, false]);
        row.clear();
        assert.deepEqual([row.entries.length, row.last, row.isAtEnd], [0, 0, true]);
    });
});

suite('the diagram', () => {
    /** @param {CloudEvent[]} events */
    function entries(events) {
        const row = new EventWindow();
        row.replace(events, { last: events.length, versionBefore: 0 });
        return row.entries;
    }

    test('has a line for each actor, the known ones first, and not too many', () => {
        const { lanes } = layOut(entries(['zoe', 'corrector-2', 'tester-2', 'generator-2', 'user:anna'].map((source, at) => event(at + 1, { source }))));
        assert.deepEqual(lanes.map(({ name }) => name), ['user:anna', 'generator-2', 'tester-2', 'corrector-2', 'zoe']);
        const many = layOut(entries(Array.from({ length: 50 }, (_, at) => event(at + 1, { source: `actor-${at}` }))));
        assert.equal(many.lanes.length, LANES_MAX);
        assert.equal(many.lanes.at(-1)?.name, '41 others');
        assert.ok(many.points.every(({ lane }) => lane < LANES_MAX));
    });

    test('has an arrow from each cause to its effect, and the end of one where the cause is not drawn', () => {
        const { arrows } = layOut(entries([
            event(1), event(2, { causationid: 'evt-1' }), event(3, { causationid: 'evt-1', source: 'corrector' }), event(4, { causationid: 'long-ago' }),
            event(5, { causationid: 'evt-5' }),
        ]));
        assert.deepEqual(arrows.map(({ from, to }) => [from, to]), [[1, 2], [1, 3], [null, 4]]);
        assert.ok(arrows.every(({ path }) => !/NaN|Infinity/.test(path)));
    });

    test('goes from left to right in the order of the log, and takes the room there is', () => {
        for (const room of [0, 300, 2_000]) {
            const { points, width } = layOut(entries([event(1), event(2), event(3)]), room);
            const places = points.map(({ x }) => x);
            assert.deepEqual(places, [...places].sort((one, other) => one - other));
            assert.ok(width >= room && places.every((x) => x > 0 && x < width));
        }
        assert.equal(layOut([]).points.length, 0);
    });

    test('tells how each event stands to the chosen one', () => {
        const { points } = layOut(entries([
            event(1, { clock: 'generator=1' }), event(2, { clock: 'corrector=1,generator=1' }), event(3, { clock: 'generator=1,tester=1' }),
            event(4, { clock: 'corrector=2,generator=1' }), event(5, { clock: 'nonsense' }),
        ]));
        assert.deepEqual([...relationsTo(points, 2).values()], ['before', 'chosen', 'concurrent', 'after', 'unknown']);
        assert.equal(relationsTo(points, null).size, 0);
        assert.equal(relationsTo(points, 77).size, 0);
    });
});

suite('a state of the past', () => {
    /** @param {any} t */
    function reader(t) {
        t.mock.timers.enable({ apis: ['setTimeout'] });
        /** @type {{ key: number, signal: AbortSignal, resolve: (answer: string) => void, reject: (error: Error) => void }[]} */
        const reads = [];
        /** @type {string[]} */
        const shown = [];
        const past = newPast({
            read: (key, signal) => new Promise((resolve, reject) => reads.push({ key, signal, resolve, reject })),
            show: (key, told) => shown.push(`${key} ${told.status === 'shown' ? told.answer : told.status === 'failed' ? told.error.message : told.status}`),
            delayMs: 100,
        });
        return { past, reads, shown, wait: (/** @type {number} */ ms) => t.mock.timers.tick(ms) };
    }
    const settled = () => new Promise((resolve) => setImmediate(resolve));

    test('is not asked for while somebody still moves, and not twice', async (t) => {
        const { past, reads, shown, wait } = reader(t);
        for (const key of [1, 2, 3]) {
            past.ask(key);
            wait(99);
        }
        wait(1);
        assert.deepEqual(reads.map(({ key }) => key), [3]);
        reads[0]?.resolve('three');
        await settled();
        past.ask(4);
        past.ask(3);
        assert.deepEqual(shown, ['1 loading', '2 loading', '3 loading', '3 three', '4 loading', '3 three']);
        wait(1_000);
        assert.equal(reads.length, 1);
    });

    test('is the one that was asked for last, whichever answer comes last', async (t) => {
        const { past, reads, shown, wait } = reader(t);
        past.ask(1);
        wait(100);
        past.ask(2);
        wait(100);
        assert.deepEqual(reads.map(({ signal }) => signal.aborted), [true, false]);
        reads[1]?.resolve('two');
        await settled();
        reads[0]?.resolve('one');
        await settled();
        assert.equal(shown.at(-1), '2 two');
        past.ask(1);
        assert.equal(shown.at(-1), '1 one', 'an answer that came too late to be shown is known');
    });

    test('that cannot be read says so, and is asked for again on demand', async (t) => {
        const { past, reads, shown, wait } = reader(t);
        past.ask(1);
        wait(100);
        reads[0]?.reject(new Error('no answer'));
        await settled();
        assert.equal(shown.at(-1), '1 no answer');
        past.retry();
        wait(100);
        reads[1]?.resolve('one');
        await settled();
        assert.equal(shown.at(-1), '1 one');
        past.clear();
        past.retry();
        assert.equal(reads.length, 2, 'of another log nothing is known or wanted');
    });

    test('is remembered in bounds', async (t) => {
        const { past, reads, wait } = reader(t);
        for (let key = 1; key <= CACHED_MAX + 1; key += 1) {
            past.ask(key);
            wait(100);
            reads.at(-1)?.resolve(`${key}`);
            await settled();
        }
        past.ask(2);
        past.ask(1);
        wait(100);
        assert.deepEqual(reads.slice(CACHED_MAX + 1).map(({ key }) => key), [1]);
    });
});
