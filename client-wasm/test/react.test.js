/**
 * The hooks in the oldest React that they are for, and in the newest: the tests in `react/`, bundled with each of them. These are React's
 * development builds, which look closer.
 */

import { readdir, rm } from 'node:fs/promises';

import { build } from 'esbuild';

const REACTS = { 18: { react: 'react-18', 'react-dom': 'react-dom-18' }, 19: {} };

const tests = (await readdir('test/react')).filter((file) => file.endsWith('.test.jsx'));
for (const [version, alias] of Object.entries(REACTS)) {
  const outdir = `pkg/test/react-${version}`;
  await rm(outdir, { recursive: true, force: true });
  await build({
    entryPoints: tests.map((file) => `test/react/${file}`),
    outdir,
    alias,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    jsx: 'automatic',
    external: ['highwater', 'happy-dom'],
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" }, // React is CommonJS.
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  for (const file of tests) {
    await import(`../${outdir}/${file.replace('.jsx', '.js')}`);
  }
}
