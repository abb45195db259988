/** Highwater's client: shows nothing stale, and knows that it has missed nothing. Its wasm stands inline. */

import wasm from '../pkg/highwater_client_bg.wasm';
import { provide } from './wasm.js';

export * from './public.js';

const FIRST = 35;
const DIGITS = 89;

/** The bytes of a text that `inline.js` wrote. */
function toBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = [];
  let added = 0;
  for (let at = 0; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - FIRST;
    if (digit < DIGITS) {
      bytes.push(digit + added);
      added = 0;
    } else {
      added = (digit - DIGITS + 1) * DIGITS;
    }
  }
  return new Uint8Array(bytes);
}

provide(toBytes(wasm));
