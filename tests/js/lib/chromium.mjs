/**
 * Chromium, as the machine has it.
 */

import { chromium } from 'playwright-core';

import { needProgram } from './programs.mjs';

/** @import { Driver } from './engines.mjs' */

const PROGRAM = {
    what: 'Chromium',
    variable: 'HIGHWATER_CHROMIUM',
    names: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'],
};

/** The browser that `HIGHWATER_CHROMIUM` names, or the first that `PATH` has. */
export function programOfChromium() {
    return needProgram(PROGRAM);
}

/** @param {string[]} [args]  Of its command line. */
export function launchChromium(args = []) {
    return chromium.launch({ executablePath: programOfChromium(), args });
}

/** @type {Driver} */
export const driver = {
    programs: [PROGRAM],
    async launch() {
        const browser = await launchChromium();
        const context = await browser.newContext();
        return {
            async open(url) {
                const page = await context.newPage();
                await page.goto(url);
                return {
                    evaluate: (expression) => page.evaluate(expression),
                    reload: async () => void await page.reload(),
                    close: () => page.close(),
                };
            },
            close: () => browser.close(),
        };
    },
};
