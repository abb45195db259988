/** Builds a page with a framework's component: React's is in the package's README, the others are its examples. */

import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import vue from '@vitejs/plugin-vue';
import { build as viteBuild, createLogger } from 'vite';

import { INSTALLED } from '../lib/paths.mjs';

/**
 * Answers what the bundler warns of.
 *
 * @param {'react' | 'svelte' | 'vue'} framework
 * @param {string} outDir
 */
export async function build(framework, outDir) {
    /** @type {string[]} */
    const warnings = [];
    const customLogger = createLogger('silent');
    customLogger.warn = (text) => warnings.push(text);
    const root = fileURLToPath(new URL(framework, import.meta.url));
    const pages = (await readdir(root)).filter((file) => file.endsWith('.html'));
    await viteBuild({
        root,
        configFile: false,
        customLogger,
        plugins: [{ react: readme(), svelte: svelte({ configFile: false }), vue: vue() }[framework]],
        // The examples have no packages beside them.
        resolve: { dedupe: ['highwater', 'svelte', 'vue'] },
        build: { outDir, emptyOutDir: true, rolldownOptions: { input: pages.map((page) => join(root, page)) } },
    });
    return warnings;
}

/**
 * Has `README.jsx` be what stands in the package's README.
 *
 * @returns {import('vite').Plugin}
 */
function readme() {
    const name = 'README.jsx';
    return {
        name,
        resolveId: (id) => (id.endsWith(name) ? name : undefined),
        load: async (id) => {
            const text = id === name ? await readFile(join(INSTALLED, 'README.md'), 'utf8') : '';
            return /^```jsx\n(.+?)^```$/ms.exec(text)?.[1];
        },
    };
}
