/** Highwater's own entities, with the server's rules: what `connect` takes as `domain`. Their wasm stands inline. */

import wasm from '../pkg/highwater_domain_bg.wasm';
import { WasmDomain } from './domain/domain.js';
import { toBytes } from './inline.js';
import type { Domain } from './types.js';

export type * from './domain/entities.js';
export type { Domain };

/** Highwater's own entities. */
export const domain: Domain = /* @__PURE__ */ new WasmDomain(() => toBytes(wasm));
