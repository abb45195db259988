/**
 * `node shrink.js FILE`: makes the wasm small that `wasm-bindgen` left, with its names still in it.
 *
 * A panic has nowhere to say anything on this target: it formats its message, hands it to a hook that drops it, and traps. Here
 * it traps at once, and what formed the message is gone, code and data. Nothing else formats. What only the generated glue
 * would call goes too, and with it all that the module imports.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import binaryen from 'binaryen';

import { orderedByLikeness } from './order.js';

/** Where panics begin and what only they reach. */
const PANICS =
  /^(core\[\w+\]::(panicking|option::(unwrap|expect)_failed|result::unwrap_failed|cell::panic_\w+|\w+(::\w+)*::\w+_fail\b)|alloc\[\w+\]::(raw_vec::(handle_error|capacity_overflow)|alloc::handle_alloc_error)|<?std\[\w+\]::(panicking|alloc|thread::local::panic_)|.*::assert_failed$|__rustc\[\w+\]::rust_(begin_unwind|panic)|wasm_bindgen::throw_str)/;
/** What shows a value to programmers: only panics did. */
const UNUSED = / as core(\[\w+\])?::fmt::Debug>::fmt(::|$)/;
/** Numbers with a fraction are written by code of serde's own, and stand nowhere else but in what it says of wrong JSON. */
const SILENT = /^core(\[\w+\])?::fmt::float::float_to_(decimal|exponential|general)/;
/** How many characters a text has is counted eight bytes at a time, by code that is as long as that of an entity. */
const COUNT = /^core(\[\w+\])?::str::count::do_count_chars$/;
/** What is exported for the glue alone: its start, its table of JavaScript's values, its guard against aborts. */
const GLUE = /^__/;

const [file] = process.argv.slice(2);
const module = binaryen.readBinary(readFileSync(file));
const data = dataOf(module);
const pointedAtOnce = pointedAt(module, data);
takeOut(module);
removeExports(module);
binaryen.setOptimizeLevel(2);
binaryen.setShrinkLevel(2);
binaryen.setLowMemoryUnused(true); // The stack ends there.
binaryen.setOneCallerInlineMaxSize(10); // One large function compresses worse than its parts.
module.optimize();
const pointedAtStill = pointedAt(module, data);
keepData(
  module,
  data.filter((piece) => pointedAtStill.has(piece) || !pointedAtOnce.has(piece)),
);
module.optimize(); // What the first round uncovers goes in the second, and so on.
module.optimize();
module.runPasses(['strip-producers', 'strip-target-features']);
if (/^ \(import /m.test(module.emitText())) {
  throw new Error(`${file} imports what nobody gives it`);
}
// Those that are called most first, which makes short calls; or what is alike side by side, in reach of a compressor.
module.runPasses(['reorder-functions']);
const byCalls = module.emitBinary();
const byLikeness = orderedByLikeness(module, byCalls);
const [smallest] = [byCalls, byLikeness].map((bytes) => [gzipSync(bytes).length, bytes]).sort(([one], [other]) => one - other);
writeFileSync(file, smallest[1]);

/** Panics trap at once, and what nobody calls or reads is empty. */
function takeOut(module) {
  let panics = 0;
  const functions = Array.from({ length: module.getNumFunctions() }, (_, at) => module.getFunctionByIndex(at));
  for (const function_ of functions) {
    const { name, module: imported } = binaryen.getFunctionInfo(function_);
    if ((PANICS.test(name) || UNUSED.test(name)) && imported === '') {
      binaryen.Function.setBody(function_, module.unreachable());
      panics += 1;
    } else if (SILENT.test(name)) {
      binaryen.Function.setBody(function_, module.i32.const(0)); // It has succeeded.
    } else if (COUNT.test(name)) {
      countOneByOne(module, name);
    }
  }
  if (panics === 0) {
    throw new Error(`${file} has no names, or panics are called otherwise now`);
  }
}

/** In place of a function of the place and length of a text: its bytes but those that go on with a character. */
function countOneByOne(module, name) {
  const { i32, local } = module;
  const [at, left, count] = [0, 1, 2];
  const get = (variable) => local.get(variable, binaryen.i32);
  const add = (variable, value) => local.set(variable, i32.add(get(variable), value));
  const begins = i32.gt_s(i32.load8_s(0, 1, get(at), '0'), i32.const(-65));
  const step = [add(count, begins), add(at, i32.const(1)), add(left, i32.const(-1)), module.br('next')];
  const loop = module.loop('next', module.if(get(left), module.block(null, step)));
  module.removeFunction(name);
  const parameters = binaryen.createType([binaryen.i32, binaryen.i32]);
  module.addFunction(name, parameters, binaryen.i32, [binaryen.i32], module.block(null, [loop, get(count)], binaryen.i32));
}

function removeExports(module) {
  for (let at = module.getNumExports() - 1; at >= 0; at -= 1) {
    const { name } = binaryen.getExportInfo(module.getExportByIndex(at));
    if (GLUE.test(name)) {
      module.removeExport(name);
    }
  }
}

/** The linker's pieces of data: each constant is one. */
function dataOf(module) {
  return Array.from({ length: module.getNumDataSegments() }, (_, at) => {
    const { offset, data } = module.getDataSegmentInfo(module.getDataSegmentByIndex(at));
    return { start: offset, end: offset + data.byteLength, bytes: new Uint8Array(data) };
  });
}

/** The pieces whose addresses stand in the code, or in a piece that is pointed at. More may look so, but not fewer. */
function pointedAt(module, data) {
  const code = module.emitText().replaceAll(/^ \(data .*$/gm, '');
  const numbers = Array.from(code.matchAll(/(?:i32\.const |offset=)(\d+)/g), ([, number]) => Number(number));
  const found = new Set();
  for (const number of numbers) {
    const piece = data.find(({ start, end }) => start <= number && number < end);
    if (piece !== undefined && !found.has(piece)) {
      found.add(piece);
      const words = new DataView(piece.bytes.buffer);
      for (let at = -piece.start & 3; at + 4 <= words.byteLength; at += 4) {
        numbers.push(words.getUint32(at, true)); // The loop comes to it.
      }
    }
  }
  return found;
}

/** Puts one piece of data in place of all: zeros between those that stay. Binaryen splits it where that is shorter. */
function keepData(module, pieces) {
  const { initial, max = -1 } = module.getMemoryInfo();
  const start = Math.min(...pieces.map((piece) => piece.start));
  const bytes = new Uint8Array(Math.max(...pieces.map((piece) => piece.end)) - start);
  for (const piece of pieces) {
    bytes.set(piece.bytes, piece.start - start);
  }
  const segment = { name: 'data', offset: module.i32.const(start), data: bytes, passive: false };
  module.setMemory(initial, max, null, [segment], false, false, '0');
}
