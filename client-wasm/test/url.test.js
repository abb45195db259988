/** The entry point whose wasm is a file of its own: nothing begins before that has started, and a start that failed can be tried again. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import test from 'node:test';

import { connect, start } from 'highwater/url';

import { Log, serve } from './log_server.js';

const FILE = new URL('../dist/client.wasm', import.meta.url);
const bytes = await readFile(FILE);

test('until wasm has started, connect throws and asks for nothing', async () => {
  const fetch = () => assert.fail('it asked');
  const early = () => connect({ url: 'http://127.0.0.1:9', topics: ['a:b'], fetch });
  assert.throws(early, /await start\(\)/);
  await assert.rejects(start(new Uint8Array(8)), WebAssembly.CompileError);
  assert.throws(early, /await start\(\)/);
});

test('a start that failed is tried again; one that goes on is everyone’s', async (t) => {
  const url = await serveWasm(t, 503);
  await assert.rejects(start(url), /the server answered 503/);
  const starting = start();
  assert.equal(start(), starting);
  await starting;
  assert.equal(start(), starting);

  const log = new Log();
  log.append();
  const { url: server } = await serve(t, log, (stream) => stream.write(log.frames(0).join('')));
  const client = connect({ url: server, topics: ['test:*'], after: 'earliest' });
  for await (const told of client) {
    assert.equal(told.event.data.n, 1);
    client.close();
  }
});

const sources = {
  'its bytes': () => bytes,
  'a module': () => new WebAssembly.Module(bytes),
  'the URL of a file': () => FILE,
  'the URL of a server': (t) => serveWasm(t, 200).then((url) => new URL(url)),
  'the text of a URL': (t) => serveWasm(t, 200),
};
for (const [name, source] of Object.entries(sources)) {
  test(`wasm starts from ${name}`, async (t) => {
    const fresh = await import(`../dist/url.js?${encodeURIComponent(name)}`);
    await fresh.start(await source(t));
  });
}

/** Serves wasm at any path, with no type of its own. */
async function serveWasm(t, status) {
  const server = createServer((_, response) => response.writeHead(status).end(bytes));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}/client.wasm`;
}
