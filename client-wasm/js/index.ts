/** Highwater's client: shows nothing stale, and knows that it has missed nothing. Its wasm stands inline. */

import wasm from '../pkg/highwater_client_bg.wasm';
import { toBytes } from './inline.js';
import { provide } from './wasm.js';

export * from './public.js';

provide(toBytes(wasm));
