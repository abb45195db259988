/**
 * A device of real Chromium and a real server, for a suite whose tests open tabs of it.
 */

import { after, before, beforeEach } from 'node:test';

import { launch } from './engines.mjs';
import { startServer } from './server.mjs';
import { openLiveTabs, openTab, tabIn } from './tab.mjs';

/** @import { Browser, Page } from './engines.mjs' */
/** @import { Server } from './server.mjs' */
/** @import { Tab, TabOptions } from './tab.mjs' */

/** The device of the suite that calls this, as long as that lasts. A test's tabs are closed before the next one begins. */
export function deviceOfSuite() {
    /** @type {Server} */
    let server;
    /** @type {Browser} */
    let browser;
    /** @type {Tab[]} */
    let tabs = [];
    before(async () => {
        server = await startServer();
        browser = await launch('chromium');
    });
    after(() => Promise.all([browser?.close(), server?.stop()]));
    beforeEach(async () => {
        await Promise.all(tabs.map((tab) => tab.page.close()));
        tabs = [];
    });

    return {
        get url() {
            return server.url;
        },
        /**
         * A page that follows nothing by itself.
         *
         * @param {string} [url]  Of the server, or of what stands before it.
         */
        page: (url = server.url) => browser.open(`${url}/docs`),
        /**
         * @param {TabOptions} options
         * @param {string} [url]
         */
        async open(options, url = server.url) {
            const tab = await openTab(browser, url, options);
            tabs.push(tab);
            return tab;
        },
        /**
         * @template {TabOptions[]} Options
         * @param {Options} all
         */
        async openLive(...all) {
            const opened = await openLiveTabs(browser, server.url, ...all);
            tabs.push(...opened);
            return opened;
        },
        /**
         * Makes a client in a page that is there.
         *
         * @param {Page} page
         * @param {TabOptions} options
         */
        async openIn(page, options) {
            const tab = await tabIn(page, options);
            tabs.push(tab);
            return tab;
        },
        /**
         * Its page is gone for good.
         *
         * @param {Tab} tab
         */
        async close(tab) {
            tabs = tabs.filter((other) => other !== tab);
            await tab.page.close();
        },
    };
}
