/** `node build.js`: makes the modules of `dist/` from `js/` and the wasm in `pkg/`. */

import { copyFile, rm, writeFile } from 'node:fs/promises';

import { build } from 'esbuild';

await rm('dist', { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: ['js/index.ts', 'js/url.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true, // What entry points share is there once, also for whoever uses two of them.
  format: 'esm',
  target: 'es2022',
  minify: true,
  sourcemap: true,
  loader: { '.wasm': 'binary' },
  alias: { '#wasm': './pkg/highwater_client.d.ts' }, // Its enums; all else there are types.
  chunkNames: 'chunk-[hash]',
  metafile: true,
  logLevel: 'warning',
});
await copyFile('pkg/highwater_client_bg.wasm', 'dist/client.wasm');
// `cargo xtask size` reads in it which file imports which.
await writeFile('pkg/bundle.json', JSON.stringify(metafile));
