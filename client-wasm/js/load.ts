/** Where wasm is a file of its own: how it gets here. */

/** Where wasm is, or what it is: its bytes, or the module that some bundlers and runtimes make of its file. */
export type Wasm = string | URL | BufferSource | WebAssembly.Module;

export async function compiled(wasm: Wasm): Promise<WebAssembly.Module> {
  const source = typeof wasm === 'string' || wasm instanceof URL ? await read(wasm) : wasm;
  return source instanceof WebAssembly.Module ? source : WebAssembly.compile(source);
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
