/**
 * Bytes as text that stands in a module, as `js/index.ts` reads it.
 *
 * A byte below 89 is one character, which most of wasm is; any other is a mark of how much to add and a character. So bytes stay
 * bytes, and what was alike stays alike: compressed, the text is hardly larger than the wasm, where base64 takes a quarter more.
 * It is ASCII without control characters and `"`, which no bundler, minifier or page encoding changes.
 */

const FIRST = '#'.charCodeAt(0);
const DIGITS = 89;

/** The text of these bytes. */
export function toText(bytes) {
  const digit = (value) => String.fromCharCode(FIRST + value);
  const character = (byte) => (byte < DIGITS ? '' : digit(DIGITS - 1 + Math.floor(byte / DIGITS))) + digit(byte % DIGITS);
  return Array.from(bytes, character).join('');
}
