/** Loads the wasm half: all that a browser downloads for its sake. `cargo xtask size` weighs this. */

import type { InitOutput } from '#wasm';

export type Wasm = InitOutput;

let compiled: WebAssembly.Module | undefined;

/** A new instance of the module. It imports nothing, so that nothing of the glue that wasm-bindgen generates is needed. */
export function instantiate(bytes: BufferSource): Wasm {
  compiled ??= new WebAssembly.Module(bytes);
  return new WebAssembly.Instance(compiled).exports as unknown as Wasm;
}
