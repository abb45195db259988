/**
 * The three browser engines, driven alike.
 */

import { driver as chromium } from './chromium.mjs';
import { driver as firefox } from './firefox.mjs';
import { findProgram, missing } from './programs.mjs';
import { driver as webkit } from './webkit.mjs';

/** @import { Program } from './programs.mjs' */

/**
 * @typedef {object} Browser
 * @property {(url: string) => Promise<Page>} open
 *   Loads a page in a window of its own, so that no page counts as hidden. All of them share one profile.
 * @property {() => Promise<void>} close  No process of it is left.
 *
 * @typedef {object} Page
 * @property {<A extends unknown[], T>(run: (...args: A) => T, ...args: A) => Promise<Awaited<T>>} evaluate
 *   What the function gives in the page, awaited. It sees nothing but the page and `args`, and these and what it gives are JSON.
 * @property {() => Promise<void>} reload
 * @property {() => Promise<void>} close
 */

/**
 * What each engine's own file has.
 *
 * @typedef {object} Driver
 * @property {Program[]} programs  What it needs.
 * @property {() => Promise<DrivenBrowser>} launch
 *
 * @typedef {Omit<Browser, 'open'> & { open: (url: string) => Promise<DrivenPage> }} DrivenBrowser
 * @typedef {Omit<Page, 'evaluate'> & { evaluate: (expression: string) => Promise<any> }} DrivenPage
 */

const DRIVERS = { chromium, firefox, webkit };

/** @typedef {keyof typeof DRIVERS} Engine */

export const ENGINES = /** @type {Engine[]} */ (Object.keys(DRIVERS));

/**
 * Why a test in this engine has to be skipped, as `node:test` takes it. Where `CI` is set, none may be: there its launch fails.
 *
 * @param {Engine} engine
 */
export function reasonToSkip(engine) {
    const absent = DRIVERS[engine].programs.find((program) => findProgram(program) === undefined);
    return absent !== undefined && process.env.CI === undefined && missing(absent);
}

/**
 * @param {Engine} engine
 * @returns {Promise<Browser>}
 */
export async function launch(engine) {
    const browser = await DRIVERS[engine].launch();
    return {
        async open(url) {
            const page = await browser.open(url);
            return { ...page, evaluate: (run, ...args) => page.evaluate(`(${run})(...${JSON.stringify(args)})`) };
        },
        close: browser.close,
    };
}
