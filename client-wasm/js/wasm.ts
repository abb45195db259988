/** The start of wasm. An entry point provides it; it starts when it is first needed. */

import type { InitOutput } from '#wasm';

/** What wasm exports. It imports nothing, so that nothing of the glue that wasm-bindgen generates is needed. */
export type Wasm = InitOutput;

let provided: BufferSource | WebAssembly.Module | undefined;

/** Gives the wasm that is to start. */
export function provide(wasm: BufferSource | WebAssembly.Module): void {
  provided = wasm;
}

/** A new instance. Throws where no wasm is provided. */
export function instantiate(): Wasm {
  if (!provided) {
    throw new Error("WebAssembly has not started: await start() of 'highwater/url' before connect()");
  }
  provided = provided instanceof WebAssembly.Module ? provided : new WebAssembly.Module(provided);
  return new WebAssembly.Instance(provided).exports as unknown as Wasm;
}
