/** Entities whose wasm is in a file of its own: Highwater's, or anybody's. */

import { compiled, type Wasm } from '../load.js';
import type { Domain } from '../types.js';
import { WasmDomain } from './domain.js';

export type * from './entities.js';
export type { Domain, Wasm };

/** Loads entities: by default Highwater's own, from the file beside the package's modules; or those that a crate exports by `export_entities!`. */
export async function load(wasm: Wasm = new URL('../domain.wasm', import.meta.url)): Promise<Domain> {
  const module = await compiled(wasm);
  return new WasmDomain(() => module);
}
