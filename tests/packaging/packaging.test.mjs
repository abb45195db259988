/** The package as it is published, in a project for each kind of loader: an event that was appended is applied there. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';

import { launchChromium } from '../js/lib/chromium.mjs';
import { append } from '../js/lib/events.mjs';
import { startServer, temporaryFolder } from '../js/lib/server.mjs';
import { INSTALLED, ROOT, TARBALL } from './lib/paths.mjs';
import { serveSite } from './lib/site.mjs';
import { develop } from './vite/build.mjs';

/** @import { TestContext } from 'node:test' */
/** @import { Server } from '../js/lib/server.mjs' */
/** @import { Site } from './lib/site.mjs' */

const run = promisify(execFile);
const IN_BROWSERS = ['script', 'worker', 'esbuild', 'rollup', 'webpack', 'vite'];

/** @type {Awaited<ReturnType<typeof launchChromium>>} */
let browser;
/** @type {Server} */
let server;
/** How many events pages have been sent. */
let appended = 0;
before(async () => {
    [browser, server] = await Promise.all([launchChromium(), startServer()]);
    // A browser complains of a stream that is not there, which the package takes for an empty one.
    const command = { type: 'intervene', data: { note: 'first' }, source: 'packaging' };
    const headers = { 'content-type': 'application/json' };
    await fetch(`${server.url}/v1/commands/task/space:1:tasks:packaging`, { method: 'POST', headers, body: JSON.stringify(command) });
});
after(async () => {
    await browser?.close();
    await server?.stop();
});

for (const project of IN_BROWSERS) {
    test(`${project}, deployed under a strict policy`, async (t) => {
        const site = await serveSite(await deployed(join(ROOT, project)), server.url);
        t.after(() => site.close());
        await everyPage(t, project, site);
    });
}

test('vite, while it is developed', async (t) => {
    const site = await develop(temporaryFolder(), server.url);
    t.after(() => site.close());
    await everyPage(t, 'vite', site);
});

test('node', async (t) => {
    await append(server.url, 'packaging:node', 7);
    for (const program of ['main.js', 'url.js']) {
        await t.test(program, async () => {
            assert.equal(await output(join(ROOT, 'node', program), server.url), '7\n');
        });
    }
    await t.test('domain.js', async () => {
        assert.equal(await output(join(ROOT, 'node', 'domain.js'), server.url), '1\n2\n');
    });
});

for (const project of ['types-nodenext', 'types-bundler', 'types-examples']) {
    test(project, async () => {
        assert.equal(await output(tool('typescript/bin/tsc'), '--project', join(ROOT, project)), '');
    });
}

suite('the archive', () => {
    test('holds what is needed, and nothing else', async () => {
        const entries = await readdir(INSTALLED, { recursive: true, withFileTypes: true });
        const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => relative(INSTALLED, join(parentPath, name)));
        // What entry points share, in however many files, is named by its content.
        const names = new Set(files.map((file) => file.replace(/chunk-[A-Z0-9]+/, 'chunk')));
        assert.deepEqual([...names].sort(), [
            'LICENSE-APACHE',
            'LICENSE-MIT',
            'README.md',
            'dist/chunk.js',
            'dist/chunk.js.map',
            'dist/client.d.ts',
            'dist/client.wasm',
            'dist/domain.d.ts',
            'dist/domain.js',
            'dist/domain.js.map',
            'dist/domain.wasm',
            'dist/domain/entities.d.ts',
            'dist/domain/url.d.ts',
            'dist/domain/url.js',
            'dist/domain/url.js.map',
            'dist/error.d.ts',
            'dist/index.d.ts',
            'dist/index.js',
            'dist/index.js.map',
            'dist/load.d.ts',
            'dist/public.d.ts',
            'dist/react.d.ts',
            'dist/react.js',
            'dist/react.js.map',
            'dist/react/shared.d.ts',
            'dist/types.d.ts',
            'dist/url.d.ts',
            'dist/url.js',
            'dist/url.js.map',
            'examples/svelte/Counter.svelte',
            'examples/svelte/stream.ts',
            'examples/vue/Counter.vue',
            'examples/vue/stream.ts',
            'package.json',
        ]);
    });

    test('publint has nothing to say', async () => {
        await output(tool('publint/src/cli.js'), 'run', TARBALL, '--strict');
    });

    test('its types are those of its modules', async () => {
        await output(tool('@arethetypeswrong/cli/dist/index.js'), TARBALL, '--profile', 'esm-only', '--exclude-entrypoints', 'client.wasm', 'domain.wasm');
    });
});

/**
 * What a project deploys: its pages with what its bundler made; or its own modules, and the package at `/highwater/`.
 *
 * @param {string} folder
 * @returns {Promise<[prefix: string, folder: string][]>}
 */
async function deployed(folder) {
    const build = join(folder, 'build.mjs');
    if (!existsSync(build)) {
        return [['/highwater/', join(INSTALLED, 'dist')], ['/', folder]];
    }
    const built = temporaryFolder();
    const bundler = await import(build);
    assert.deepEqual(await bundler.build(built), [], 'the bundler has nothing to warn of');
    return [['/', built], ['/', folder]];
}

/**
 * An event is applied on each page of a project, and the browser has nothing to complain of.
 *
 * @param {TestContext} t
 * @param {string} project
 * @param {Site} site
 */
async function everyPage(t, project, site) {
    const files = await readdir(join(ROOT, project));
    for (const file of files.filter((file) => file.endsWith('.html'))) {
        await t.test(file, async () => {
            const page = await browser.newPage();
            /** @type {string[]} */
            const complaints = [];
            page.on('pageerror', (error) => complaints.push(String(error)));
            page.on('console', (message) => {
                if (['error', 'warning'].includes(message.type())) {
                    complaints.push(message.text());
                }
            });
            await page.goto(`${site.url}/${file}`);
            await append(server.url, 'packaging:page', (appended += 1));
            const shown = page.waitForFunction((title) => document.title === title, String(appended));
            await shown.catch((cause) => assert.fail([...complaints, cause].join('\n')));
            await page.close();
            assert.deepEqual(complaints, []);
        });
    }
}

/**
 * Runs a program of JavaScript and gives what it printed. Where it fails, that is in the error.
 *
 * @param {string} program
 * @param {...string} args
 */
async function output(program, ...args) {
    const { stdout } = await run(process.execPath, [program, ...args], { cwd: ROOT }).catch((error) => {
        assert.fail(`${error.message}\n${error.stdout}`);
    });
    return stdout;
}

/** @param {string} path  In the installed packages. */
function tool(path) {
    return join(ROOT, 'node_modules', path);
}
