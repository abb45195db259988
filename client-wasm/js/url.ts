/** Highwater's client, with its wasm in a file of its own: `start` loads it. */

import { provide } from './wasm.js';

export * from './public.js';

/** Where wasm is, or what it is: its bytes, or the module that some bundlers and runtimes make of its file. */
export type Wasm = string | URL | BufferSource | WebAssembly.Module;

let starting: Promise<void> | undefined;

/**
 * Loads wasm, by default from the file beside this module. `connect` throws until that is done. Every call gives the same promise,
 * whatever it is given; after a failure, the next one tries again.
 */
export function start(wasm: Wasm = new URL('./client.wasm', import.meta.url)): Promise<void> {
  starting ??= load(wasm).catch((thrown: unknown) => {
    starting = undefined;
    throw thrown;
  });
  return starting;
}

async function load(wasm: Wasm): Promise<void> {
  const source = typeof wasm === 'string' || wasm instanceof URL ? await read(wasm) : wasm;
  provide(source instanceof WebAssembly.Module ? source : await WebAssembly.compile(source));
}

async function read(url: string | URL): Promise<BufferSource> {
  const files = nodeFiles();
  if (files && String(url).startsWith('file:')) {
    return files.readFile(new URL(url)); // Which `fetch` of Node.js refuses.
  }
  const response = await fetch(url);
  if (!response.ok) {
    throw new Error(`no wasm at ${response.url}: the server answered ${response.status}`);
  }
  return response.arrayBuffer();
}

interface Files {
  readFile(url: URL): Promise<Uint8Array<ArrayBuffer>>;
}

/** What reads files where there are some: asked for in a way that no bundler takes for an import. */
function nodeFiles(): Files | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: 'node:fs/promises'): Files } };
  return process?.getBuiltinModule?.('node:fs/promises');
}
