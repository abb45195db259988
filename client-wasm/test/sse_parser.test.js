/**
 * The decoder's wasm build beside npm's eventsource-parser: on any bytes, cut anywhere, both give the same frames.
 *
 * What is left out is what the two are not meant to agree on:
 * - eventsource-parser gives with an event the id that its own block carries, and nothing of a block without data. The standard has that
 *   id last, with or without data, and so has ours, as `last_event_id`; sse_vectors.test.js holds it to that.
 * - At a CR the line has ended, whatever follows; eventsource-parser waits to see. So it is compared once a comment has followed.
 * - eventsource-parser rounds a reconnection time that takes more than 53 bits, and ours ignores one that takes more than 64.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { before } from 'node:test';

import { createParser } from 'eventsource-parser';

import { initSync, RawDecoder } from '../pkg/test/decoder.js';
import { randomNumbers } from './random.js';

const STREAMS = 10_000;

before(() => initSync({ module: readFileSync(new URL('../pkg/test/decoder_bg.wasm', import.meta.url)) }));

test('any stream in any chunks gives the frames that eventsource-parser gives', () => {
  const seen = { frames: 0, ids: 0, types: 0, retries: 0, lines: 0, replaced: 0, unfinished: 0 };
  for (let seed = 1; seed <= STREAMS; seed += 1) {
    const random = randomNumbers(seed * 7919);
    const stream = Buffer.concat([randomStream(random), Buffer.from(':\n')]);
    const chunks = cut(stream, random);
    const ours = decoded(chunks);
    assert.deepEqual(ours, parsed(chunks), `seed ${seed}: ${JSON.stringify(stream.toString('latin1'))}`);
    seen.frames += ours.frames.length;
    seen.ids += count(ours.frames, ({ id }) => id !== undefined);
    seen.types += count(ours.frames, ({ type }) => type !== '');
    seen.lines += count(ours.frames, ({ data }) => data.includes('\n'));
    seen.replaced += count(ours.frames, ({ data }) => data.includes('\uFFFD'));
    seen.retries += ours.retry === undefined ? 0 : 1;
    seen.unfinished += /data[^\r\n]*(\r\n|\r|\n)?:\n$/.test(stream.toString('latin1')) ? 1 : 0;
  }
  for (const [what, times] of Object.entries(seen)) {
    assert.ok(times > STREAMS / 100, `${times} ${what} are too few to say anything`);
  }
});

/** What ours makes of a stream. */
function decoded(chunks) {
  const decoder = new RawDecoder();
  const frames = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let frame = decoder.next_frame(); frame !== undefined; frame = decoder.next_frame()) {
      const [type, data, lastEventId, id] = frame;
      assert.ok(id === undefined || id === lastEventId);
      frames.push({ type, data, id });
    }
  }
  const retry = decoder.retry_ms();
  decoder.free();
  return { frames, retry };
}

/** What eventsource-parser makes of it. */
function parsed(chunks) {
  const frames = [];
  let retry;
  const parser = createParser({
    onEvent: ({ event = '', data, id }) => frames.push({ type: event, data, id }),
    onRetry: (milliseconds) => {
      retry = milliseconds;
    },
  });
  const decoder = new TextDecoder();
  for (const chunk of chunks) {
    parser.feed(decoder.decode(chunk, { stream: true }));
  }
  return { frames, retry };
}

const LINE_ENDS = ['\n', '\r', '\r\n'];
const NAMES = ['data', 'data', 'data', 'data', 'event', 'id', 'id', 'retry', 'prev', '', 'Data', 'data ', ' data', 'dat', 'idx'];
const SEPARATORS = [':', ': ', ': ', ': ', ':  ', ':\t', '::', ''];
/** Characters of one to four bytes, and what is special somewhere. */
const CHARACTERS = ['a', 'b', '7', ' ', ':', '\0', '\t', '"', '{', 'é', '€', '😀', '\u2028', '\u0085', '\uFEFF', '\uFFFD'];
/** A continuation alone, sequences cut short, one too long, a surrogate, and bytes that never occur. */
const NO_UTF_8 = [[0x80], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xf0, 0x9f], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5], [0xff]];

function randomStream(random) {
  const pick = (list) => list[random(list.length)];
  const oneLineEnd = random(4) > 0 && pick(LINE_ENDS);
  const line = (...parts) => Buffer.concat([...parts.map((part) => Buffer.from(part)), Buffer.from(oneLineEnd || pick(LINE_ENDS))]);
  const value = () => Buffer.concat(Array.from({ length: random(8) }, () => Buffer.from(random(12) === 0 ? pick(NO_UTF_8) : pick(CHARACTERS))));
  const lines = Array.from({ length: random(25) }, () => {
    if (random(3) === 0) {
      return line();
    }
    const name = pick(NAMES);
    const isNumber = name === 'retry' && random(3) > 0;
    return line(name, pick(SEPARATORS), isNumber ? String(random(2 ** 31)).padStart(random(15), '0') : value());
  });
  const stream = Buffer.concat([Buffer.from(random(4) === 0 ? '\uFEFF' : ''), ...lines]);
  return random(4) === 0 ? stream.subarray(0, random(stream.length + 1)) : stream;
}

function cut(stream, random) {
  const longest = 1 + random(40);
  const chunks = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + random(longest + 1);
    chunks.push(stream.subarray(at, end));
    at = Math.min(end, stream.length);
  }
  return chunks;
}

function count(list, condition) {
  return list.filter(condition).length;
}
