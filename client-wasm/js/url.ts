/** Highwater's client, with its wasm in a file of its own: `start` loads it. */

import { compiled, type Wasm } from './load.js';
import { provide } from './wasm.js';

export * from './public.js';
export type { Wasm };

let starting: Promise<void> | undefined;

/**
 * Loads wasm, by default from the file beside this module. `connect` throws until that is done. Every call gives the same promise,
 * whatever it is given; after a failure, the next one tries again.
 */
export function start(wasm: Wasm = new URL('./client.wasm', import.meta.url)): Promise<void> {
  starting ??= compiled(wasm)
    .then(provide)
    .catch((thrown: unknown) => {
      starting = undefined;
      throw thrown;
    });
  return starting;
}
