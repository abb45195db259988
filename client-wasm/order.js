/**
 * Functions in an order that compresses well: each is followed by the one most like it of those that are left. What a compressor finds again
 * has to be near, and code that a compiler makes of the same generic function is alike and far apart.
 */

import binaryen from 'binaryen';

/** How many bytes in a row tell that two functions are alike. */
const SHINGLE_BYTES = 4;
/** Of so many functions before it, the nearest counting most, the next is to be like. */
const NEAR = 16;
/** What a section of functions' code is called in wasm, and what comes before the first section. */
const CODE_SECTION = 10;
const HEADER_BYTES = 8;

/** The bytes of the module with its functions in that order; and its bytes as it is. */
export function orderedByLikeness(module, bytes) {
  const bodies = bodiesOf(bytes);
  const names = bodies.map((_, at) => binaryen.getFunctionInfo(module.getFunctionByIndex(at)).name);
  const places = new Map(chained(bodies).map((function_, place) => [names[function_], String(place).padStart(6, '0')]));
  // Nothing but a name gives a function its place, and nothing but text another name.
  const text = module.emitText().replaceAll(/\$(?:"([^"]*)"|([^\s()"]+))/g, (identifier, quoted, plain) => {
    const place = places.get(quoted === undefined ? plain : unescaped(quoted));
    return place === undefined ? identifier : `$${place}`;
  });
  const ordered = binaryen.parseText(text);
  ordered.setFeatures(module.getFeatures());
  ordered.runPasses(['reorder-functions-by-name']);
  return ordered.emitBinary();
}

/** Names in text have some characters as their codes. */
function unescaped(name) {
  return name.replaceAll(/\\([0-9a-f]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** The numbers of all functions, each after those that it is most like. */
function chained(bodies) {
  const shingles = bodies.map(shinglesOf);
  const having = new Map();
  shingles.forEach((all, at) => all.forEach((shingle) => having.set(shingle, [...(having.get(shingle) ?? []), at])));
  const left = new Set(bodies.keys());
  const chain = [];
  for (let next = 0; next !== undefined; next = mostAlike(left, likeness(chain.slice(-NEAR).reverse(), shingles, having), bodies)) {
    left.delete(next);
    chain.push(next);
  }
  return chain;
}

function shinglesOf(body) {
  const text = Buffer.from(body).toString('latin1');
  return new Set(Array.from({ length: Math.max(0, text.length - SHINGLE_BYTES + 1) }, (_, at) => text.slice(at, at + SHINGLE_BYTES)));
}

/** What each function shares with these; what many have counts less. */
function likeness(near, shingles, having) {
  const shared = new Map();
  near.forEach((function_, distance) => {
    for (const shingle of shingles[function_]) {
      const alike = having.get(shingle);
      for (const other of alike) {
        shared.set(other, (shared.get(other) ?? 0) + 1 / ((1 + distance) * alike.length ** 0.3));
      }
    }
  });
  return shared;
}

/** Of those left, the one that shares most for its size. */
function mostAlike(left, shared, bodies) {
  const share = (at) => (shared.get(at) ?? 0) / Math.sqrt(bodies[at].length);
  return [...left].reduce((best, at) => (best === undefined || share(at) > share(best) ? at : best), undefined);
}

/** The code of each function. */
function bodiesOf(bytes) {
  const bodies = [];
  let at = HEADER_BYTES;
  const number = () => {
    let [value, shift, byte] = [0, 0, 0];
    do {
      byte = bytes[at++];
      value |= (byte & 127) << shift;
      shift += 7;
    } while (byte > 127);
    return value >>> 0;
  };
  const pass = (length) => bytes.subarray(at, (at += length));
  while (at < bytes.length) {
    const [section, length] = [bytes[at++], number()];
    const end = at + length;
    for (let left = section === CODE_SECTION ? number() : 0; left > 0; left -= 1) {
      bodies.push(pass(number()));
    }
    at = end;
  }
  return bodies;
}
