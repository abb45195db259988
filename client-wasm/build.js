/** `node build.js`: makes the modules of `dist/` from `js/` and the wasm in `pkg/`. */

import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';

import { build } from 'esbuild';

import { toText } from './inline.js';

const inlineWasm = {
  name: 'inline wasm',
  setup: ({ onLoad }) => onLoad({ filter: /\.wasm$/ }, async ({ path }) => ({ contents: toText(await readFile(path)), loader: 'text' })),
};

const options = {
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
};
await rm('dist', { recursive: true, force: true });
const client = await build({
  ...options,
  entryPoints: ['js/index.ts', 'js/url.ts'],
  splitting: true, // What entry points share is there once, also for whoever uses two of them.
  chunkNames: 'chunk-[hash]',
  plugins: [inlineWasm],
  alias: { '#wasm': './pkg/highwater_client.d.ts' }, // Its enums; all else there are types.
});
// Of the client, these have the types only.
const domain = await build({ ...options, entryPoints: ['js/domain.ts', 'js/domain/url.ts'], outbase: 'js', plugins: [inlineWasm] });
const react = await build({ ...options, entryPoints: ['js/react.ts'], external: ['react'] });
await copyFile('pkg/highwater_client_bg.wasm', 'dist/client.wasm');
await copyFile('pkg/highwater_domain_bg.wasm', 'dist/domain.wasm');
// `cargo xtask size` reads in it which file imports which.
await writeFile('pkg/bundle.json', JSON.stringify({ outputs: Object.assign({}, ...[client, domain, react].map(({ metafile }) => metafile.outputs)) }));
