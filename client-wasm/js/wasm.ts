/** The start of wasm. An entry point provides it; it starts when it is first needed. */

import type { InitOutput } from '#wasm';

/** What wasm exports. It imports nothing, so that nothing of the glue that wasm-bindgen generates is needed. */
export type Wasm = InitOutput;

let provided: BufferSource | WebAssembly.Module | undefined;
let running: Wasm | undefined;

/** Gives the wasm that is to start. */
export function provide(wasm: BufferSource | WebAssembly.Module): void {
  provided = wasm;
}

/** What wasm exports, which runs from the first call on. Throws where none is provided. */
export function wasm(): Wasm {
  if (!running) {
    if (!provided) {
      throw new Error("WebAssembly has not started: await start() of 'highwater/url' before connect()");
    }
    const module = provided instanceof WebAssembly.Module ? provided : new WebAssembly.Module(provided);
    running = new WebAssembly.Instance(module).exports as unknown as Wasm;
  }
  return running;
}
