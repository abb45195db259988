/**
 * Firefox, as the machine has it, driven over WebDriver BiDi.
 */

import puppeteer from 'puppeteer-core';

import { needProgram } from './programs.mjs';
import { environment, temporaryFolder } from './server.mjs';

/** @import { Driver } from './engines.mjs' */

const PROGRAM = { what: 'Firefox', variable: 'HIGHWATER_FIREFOX', names: ['firefox-esr', 'firefox'] };

/** @type {Driver} */
export const driver = {
    programs: [PROGRAM],
    async launch() {
        const browser = await puppeteer.launch({
            browser: 'firefox',
            executablePath: needProgram(PROGRAM),
            // Its profile is Puppeteer's; crash reports and caches would still go to the user's home.
            env: { ...environment, HOME: temporaryFolder() },
        });
        return {
            async open(url) {
                const page = await browser.newPage({ type: 'window' });
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
