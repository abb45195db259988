import { copyFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { nodeResolve } from '@rollup/plugin-node-resolve';
import { rollup } from 'rollup';

/** @param {string} dir */
export async function build(dir) {
    /** @type {unknown[]} */
    const warnings = [];
    const bundle = await rollup({
        input: ['main.js', 'url.js', 'domain.js'].map((file) => `${import.meta.dirname}/${file}`),
        plugins: [nodeResolve({ browser: true })],
        onwarn: (warning) => warnings.push(warning),
    });
    await bundle.write({ dir });
    await bundle.close();
    // Rollup by itself leaves URLs of files as they are.
    await copyFile(fileURLToPath(import.meta.resolve('highwater/client.wasm')), `${dir}/client.wasm`);
    return warnings;
}
