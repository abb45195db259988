/** The decoder's wasm build against the cases of web-platform-tests and server-sent-stream, each in several chunkings. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { readData } from './data.js';
import { randomNumbers } from './random.js';

const cases = readData('sse-vectors.json');

test('other implementations’ streams in every chunking', { skip: cases === undefined && 'no sse-vectors.json' }, async (t) => {
  const { initSync, RawDecoder } = await import('../pkg/test/decoder.js');
  initSync({ module: readFileSync(new URL('../pkg/test/decoder_bg.wasm', import.meta.url)) });
  assert.equal(cases.length, 71);
  for (const { id, chunks_b64, events, retry } of cases) {
    const given = chunks_b64.map((chunk) => Buffer.from(chunk, 'base64'));
    for (const [name, chunks] of chunkings(given)) {
      const decoder = new RawDecoder();
      const decoded = chunks.flatMap((chunk) => frames(decoder, chunk));
      const where = `${id}, ${name}`;
      assert.equal(decoded.length, events.length, where);
      events.forEach((expected, at) => {
        const told = Object.fromEntries(Object.keys(expected).map((key) => [key, decoded[at][key]]));
        assert.deepEqual(told, expected, where);
      });
      if (retry !== undefined) {
        assert.equal(decoder.retry_ms() ?? null, retry, where);
      }
      decoder.free();
    }
  }
});

function frames(decoder, chunk) {
  decoder.push(chunk);
  const frames = [];
  for (let frame = decoder.next_frame(); frame !== undefined; frame = decoder.next_frame()) {
    const [type, data, lastEventId] = frame;
    frames.push({ type: type || 'message', data, lastEventId });
  }
  return frames;
}

function* chunkings(given) {
  const stream = Buffer.concat(given);
  yield ['as given', given];
  yield ['one chunk', [stream]];
  for (const length of [1, 2, 7]) {
    yield [`${length} bytes each`, cut(stream, () => length)];
  }
  for (let seed = 1; seed <= 4; seed += 1) {
    const random = randomNumbers(seed);
    yield [`random, seed ${seed}`, cut(stream, () => random(10))];
  }
}

function cut(stream, nextLength) {
  const chunks = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + nextLength();
    chunks.push(stream.subarray(at, end));
    at = end;
  }
  return chunks;
}
