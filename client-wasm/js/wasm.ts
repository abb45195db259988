/** The start of wasm. An entry point provides it; it starts when it is first needed. */

import { initSync } from './glue.js';

let provided: BufferSource | WebAssembly.Module | undefined;
let running: WebAssembly.Memory | undefined;

/** Gives the wasm that is to start. */
export function provide(wasm: BufferSource | WebAssembly.Module): void {
  provided = wasm;
}

/** The memory of wasm, which runs from the first call on. Throws where none is provided. */
export function memory(): WebAssembly.Memory {
  if (!running) {
    if (!provided) {
      throw new Error("WebAssembly has not started: await start() of 'highwater/url' before connect()");
    }
    running = initSync({ module: provided }).memory;
  }
  return running;
}
