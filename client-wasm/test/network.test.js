/**
 * A network that repeats, reorders, loses and cuts at random, and a server that refuses one page in four: what is applied
 * stays each event, once, in order.
 */

import assert from 'node:assert/strict';
import test from 'node:test';

import { Log, ready, serve } from './log_server.js';
import { randomNumbers } from './random.js';
import { total, watch } from './watch.js';

const EVENTS = 120;
const STREAMS = 5;

for (let seed = 1; seed <= 24; seed += 1) {
  for (const after of ['earliest', 'latest']) {
    test(`seed ${seed}, from ${after}`, { timeout: 60_000 }, async (t) => {
      const random = randomNumbers(seed * 7919);
      const log = randomLog(random);
      const start = after === 'latest' ? random(EVENTS) : 0;
      let connections = 0;
      const { url } = await serve(t, log, connection, (request, response) => {
        const isRefused = request.headers.accept === 'application/json' && connections <= 20 && random(4) === 0;
        return isRefused && response.writeHead(503).end() === response;
      });
      function connection(stream, { after = start, isLatest, number }) {
        connections = number;
        // It gets better, as networks do: so there is an end.
        const frames = number > 20 ? log.frames(after) : disturbed(log.frames(after), random);
        if (isLatest) {
          // It is not lost, as nothing else says where this reader starts; but others overtake it.
          frames.splice(number > 20 ? 0 : random(5), 0, ready(start));
        }
        const cut = number <= 20 && random(3) > 0 ? random(frames.length + 1) : frames.length;
        const text = frames.slice(0, cut).join('') + (cut === frames.length ? ready(EVENTS) : '');
        write(stream, text, random, () => cut < frames.length && stream.destroy());
      }
      const watched = watch(t, { url, after, backoffMaxMs: 2, pageEventsMax: 1 + random(20), heldEventsMax: 5 + random(50) });
      await watched.until(() => watched.of('event').length + watched.of('stale').length >= EVENTS - start);
      await watched.status('live');
      assert.deepEqual({ event: watched.sequences(), stale: sequences(watched.of('stale')) }, verdicts(log, start));
      const stats = watched.client.stats();
      for (const [kind, count] of [['event', stats.applied], ['stale', stats.stale], ['duplicate', stats.duplicate], ['gap', stats.gap]]) {
        assert.equal(watched.of(kind).length, count, kind);
      }
      assert.ok(total(stats) >= EVENTS - start && stats.unreadable + stats.discarded === 0, JSON.stringify(stats));
      assert.deepEqual(watched.of('lost'), []);
    });
  }
}

function randomLog(random) {
  const log = new Log();
  for (let at = 0; at < EVENTS; at += 1) {
    log.append({ stream: `test:${random(STREAMS)}`, version: random(4) });
  }
  return log;
}

/** What a reader has to make of the events after `start`. */
function verdicts(log, start) {
  const marks = new Map();
  const judged = { event: [], stale: [] };
  for (const { sequence, stream, version } of log.events.slice(start)) {
    const mark = marks.get(stream) ?? 0;
    judged[version < mark ? 'stale' : 'event'].push(sequence);
    marks.set(stream, Math.max(version, mark));
  }
  return judged;
}

function sequences(notices) {
  return notices.map(({ event }) => Number(event.sequence));
}

/** Frames repeated, lost and out of order. */
function disturbed(frames, random) {
  const all = frames.flatMap((frame) => (random(10) === 0 ? [] : random(5) === 0 ? [frame, frame] : [frame]));
  for (let at = 0; at + 1 < all.length; at += 1) {
    const other = Math.min(all.length - 1, at + random(4));
    [all[at], all[other]] = [all[other], all[at]];
  }
  return all;
}

/** Writes text in pieces cut anywhere. */
function write(stream, text, random, done) {
  const bytes = Buffer.from(text);
  let at = 0;
  const next = () => {
    if (at >= bytes.length || stream.destroyed) {
      done();
      return;
    }
    const end = at + 1 + random(2000);
    stream.write(bytes.subarray(at, end), next);
    at = end;
  };
  next();
}
