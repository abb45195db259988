/** Loads the wasm half: all that a browser downloads for its sake. `cargo xtask size` weighs this. */

import type { InitOutput } from '#wasm';

export type Wasm = InitOutput;

/** What the module exports. It imports nothing, so that nothing of the glue that wasm-bindgen generates is needed. */
export function load(bytes: BufferSource): Wasm {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as Wasm;
}
