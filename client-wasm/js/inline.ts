/** Bytes that stand in a module as text. */

const FIRST = 35;
const DIGITS = 89;

/** The bytes of a text that `inline.js` wrote. */
export function toBytes(text: string): Uint8Array<ArrayBuffer> {
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
