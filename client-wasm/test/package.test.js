/** The package as it is published: packed, installed elsewhere, and taken by each kind of loader and compiler. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import * as esbuild from 'esbuild';

const run = promisify(execFile);
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

/** Starts wasm and refuses what its half refuses. */
const PROGRAM = `
import { connect, HighwaterError } from 'highwater';
const client = connect({ url: 'http://127.0.0.1:9', topics: ['a:b'], after: 'k3x9q7ma-7' });
client.close();
let refused = '';
try { connect({ url: 'http://127.0.0.1:9', topics: ['a:b'], after: 'nowhere' }); } catch (error) { refused = error.name; }
console.log(JSON.stringify([client.cursor, refused, HighwaterError.name.length > 0]));
`;
const SAID = '["k3x9q7ma-7","TypeError",true]\n';

const TYPED = `
import { connect, HighwaterError, type Client, type Told } from 'highwater';
const client: Client<{ n: number }> = connect<{ n: number }>({ topics: ['a:b'] });
client.on('event', ({ event }) => event.data?.n.toFixed());
for await (const told of client) { const one: Told<{ n: number }> = told; void one; }
// @ts-expect-error it is typed, and not any
client.nothing();
export { HighwaterError };
`;

suite('the packed package', () => {
  let folder;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'highwater-package-'));
    const packed = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: PACKAGE });
    const [{ filename, files }] = JSON.parse(packed.stdout);
    assert.deepEqual(files.map(({ path }) => path.replace(/chunk-\w+/, 'chunk')).sort(), [
      'LICENSE-APACHE',
      'LICENSE-MIT',
      'README.md',
      'dist/chunk.js',
      'dist/chunk.js.map',
      'dist/client.d.ts',
      'dist/client.wasm',
      'dist/error.d.ts',
      'dist/index.d.ts',
      'dist/index.js',
      'dist/index.js.map',
      'dist/public.d.ts',
      'dist/types.d.ts',
      'dist/url.d.ts',
      'dist/url.js',
      'dist/url.js.map',
      'package.json',
    ]);
    await writeFile(join(folder, 'package.json'), '{"private":true,"type":"module"}');
    await run('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${filename}`], { cwd: folder });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('runs in Node.js', async () => {
    await writeFile(join(folder, 'program.js'), PROGRAM);
    assert.equal((await run(process.execPath, ['program.js'], { cwd: folder })).stdout, SAID);
  });

  test('can be bundled, and runs as a part of the bundle', async () => {
    await writeFile(join(folder, 'bundled.js'), PROGRAM);
    for (const platform of ['browser', 'node']) {
      const outfile = join(folder, `bundle-${platform}.mjs`);
      const { warnings } = await esbuild.build({
        entryPoints: [join(folder, 'bundled.js')],
        absWorkingDir: folder,
        bundle: true,
        minify: true,
        format: 'esm',
        platform,
        outfile,
        logLevel: 'silent',
      });
      assert.deepEqual(warnings, []);
      assert.equal((await run(process.execPath, [outfile], { cwd: folder })).stdout, SAID);
    }
  });

  for (const [module, moduleResolution] of [['nodenext', 'nodenext'], ['esnext', 'bundler']]) {
    test(`has types that a compiler finds by ${moduleResolution}`, async () => {
      await writeFile(join(folder, 'typed.ts'), TYPED);
      const compilerOptions = {
        module, moduleResolution, target: 'es2022', lib: ['es2022', 'dom'], types: [], strict: true, noEmit: true,
      };
      const project = join(folder, `tsconfig.${moduleResolution}.json`);
      await writeFile(project, JSON.stringify({ compilerOptions, files: ['typed.ts'] }));
      const compiled = await run(process.execPath, [TSC, '--project', project], { cwd: folder }).catch((error) => error);
      assert.equal(compiled.stdout, '');
      assert.ok(!(compiled instanceof Error), compiled.stderr);
    });
  }
});
