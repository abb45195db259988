/**
 * `node lib/install.mjs`: packs the package as for a release, and installs that archive here, above all projects. What the archive
 * lacks, none of them has.
 */

import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { INSTALLED, ROOT, TARBALL } from './paths.mjs';

const source = fileURLToPath(new URL('../../../client-wasm', import.meta.url));

rmSync(dirname(TARBALL), { recursive: true, force: true });
mkdirSync(dirname(TARBALL));
const [{ filename }] = JSON.parse(npm(source, ['pack', '--json', '--pack-destination', dirname(TARBALL)]));
renameSync(`${dirname(TARBALL)}/${filename}`, TARBALL);
// The version is that of the one before: without this, npm may take it for the same.
rmSync(INSTALLED, { recursive: true, force: true });
npm(ROOT, ['install', '--no-save', '--offline', TARBALL]);

/**
 * @param {string} cwd
 * @param {string[]} args
 */
function npm(cwd, args) {
    return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
