/**
 * `node shrink.js FILE`: makes the wasm small that `wasm-bindgen` left, with its names still in it.
 *
 * A panic has nowhere to say anything on this target: it formats its message, hands it to a hook that drops it, and traps. Here
 * it traps at once, and what formed the message is gone. Nothing else formats.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import binaryen from 'binaryen';

/** Where panics begin and what only they reach. */
const PANICS = /^(core\[\w+\]::(panicking|option::(unwrap|expect)_failed|result::unwrap_failed|\w+(::\w+)*::\w+_fail\b)|alloc\[\w+\]::(raw_vec::(handle_error|capacity_overflow)|alloc::handle_alloc_error)|<?std\[\w+\]::(panicking|alloc)|__rustc\[\w+\]::rust_(begin_unwind|panic))/;

const [file] = process.argv.slice(2);
const module = binaryen.readBinary(readFileSync(file));
let panics = 0;
for (let at = 0; at < module.getNumFunctions(); at += 1) {
  const reference = module.getFunctionByIndex(at);
  const { name, module: imported } = binaryen.getFunctionInfo(reference);
  if (PANICS.test(name) && imported === '') {
    binaryen.Function.setBody(reference, module.unreachable());
    panics += 1;
  }
}
if (panics === 0) {
  throw new Error(`${file} has no names, or panics are called otherwise now`);
}
binaryen.setOptimizeLevel(2);
binaryen.setShrinkLevel(2);
binaryen.setOneCallerInlineMaxSize(50); // One large function compresses worse than its parts.
module.optimize();
module.optimize(); // What the first round uncovers goes in the second.
module.runPasses(['strip-producers', 'strip-target-features']);
writeFileSync(file, module.emitBinary());
