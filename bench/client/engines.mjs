/** The engines that are measured in: each runs the same bundle. */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

import { launchChromium } from '../../tests/js/lib/chromium.mjs';

/** @typedef {typeof import('./src/index.js')} Bench */

/**
 * @typedef {object} Engine
 * @property {string} name
 * @property {(...args: Parameters<Bench['measure']>) => Promise<ReturnType<Bench['measure']>>} measure
 * @property {() => Promise<void>} close
 */

/**
 * What is measured, for this process.
 *
 * @returns {Promise<Bench>}
 */
export async function load() {
  return import(await bundle('esm'));
}

/** @returns {Promise<Engine>} */
export async function node() {
  const { measure } = await load();
  return { name: `Node.js ${process.versions.node}`, measure: async (...args) => measure(...args), close: async () => {} };
}

/** @returns {Promise<Engine>} */
export async function browser() {
  const script = await readFile(await bundle('iife'), 'utf8');
  const launched = await launchChromium(['--js-flags=--expose-gc']);
  const page = await launched.newPage();
  await page.addScriptTag({ content: script });
  return {
    name: `Chromium ${launched.version()}`,
    measure: (...args) => page.evaluate((args) => bench.measure(...args), args),
    close: () => launched.close(),
  };
}

/**
 * Bundles what is measured as the package's own build does, and gives the file.
 *
 * @param {'esm' | 'iife'} format
 */
async function bundle(format) {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const outfile = `${folder}dist/bench.${format}.js`;
  await build({
    absWorkingDir: folder,
    entryPoints: ['src/index.ts'],
    outfile,
    bundle: true,
    format,
    globalName: 'bench',
    target: 'es2022',
    minify: true,
    loader: { '.wasm': 'binary' },
    alias: { '#wasm': '../../client-wasm/pkg/highwater_client.d.ts' },
    logLevel: 'warning',
  });
  return outfile;
}
