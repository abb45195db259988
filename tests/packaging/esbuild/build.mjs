import { build as bundle } from 'esbuild';

/** @param {string} outdir */
export async function build(outdir) {
    const { warnings } = await bundle({
        absWorkingDir: import.meta.dirname,
        entryPoints: ['main.js', 'url.js', 'domain.js'],
        outdir,
        bundle: true,
        format: 'esm',
        loader: { '.wasm': 'file' },
        minify: true,
        logLevel: 'silent',
    });
    return warnings;
}
