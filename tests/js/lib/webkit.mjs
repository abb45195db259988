/**
 * WebKit, as the machine has it: GTK's MiniBrowser, which its driver knows where to find, on a screen that nobody sees.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

import { needProgram } from './programs.mjs';
import { environment, temporaryFolder } from './server.mjs';
import { newSession } from './webdriver.mjs';

/** @import { ChildProcess } from 'node:child_process' */
/** @import { Readable } from 'node:stream' */
/** @import { Driver } from './engines.mjs' */

const DRIVER = { what: 'WebKitWebDriver', variable: 'HIGHWATER_WEBKIT_DRIVER', names: ['WebKitWebDriver'] };
const SCREEN = { what: 'Xvfb', variable: 'HIGHWATER_XVFB', names: ['Xvfb'] };
const START_TIMEOUT_MS = 30_000;
const START_POLL_MS = 20;
const PORT_TRIES_MAX = 3;

/** @type {Driver} */
export const driver = {
    programs: [DRIVER, SCREEN],
    async launch() {
        const screen = await startScreen();
        // The browser ends without its screen, whatever became of its driver.
        let end = screen.end;
        try {
            const webDriver = await startDriver(screen.display);
            end = () => screen.end().finally(webDriver.end);
            const session = await newSession(webDriver.url);
            return {
                open: (url) => session.open(url),
                close: () => session.end().finally(end),
            };
        } catch (error) {
            await end();
            throw error;
        }
    },
};

/** An X server without a screen. It takes a free display and says which. */
async function startScreen() {
    const server = spawn(needProgram(SCREEN), ['-displayfd', '3', '-nolisten', 'tcp', '-screen', '0', '1280x800x24'], {
        stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    const { end, ended } = running('Xvfb', server);
    const lines = createInterface({ input: /** @type {Readable} */ (server.stdio[3]) });
    const said = once(lines, 'line', { signal: AbortSignal.timeout(START_TIMEOUT_MS) });
    const [display] = await Promise.race([said, ended]).catch(async (error) => {
        await end();
        throw error;
    });
    return { display: `:${display}`, end };
}

/**
 * It doesn't say which port it took, so it is given one that was free; should somebody else have been quicker, another.
 *
 * @param {string} display
 */
async function startDriver(display) {
    const env = { ...environment, DISPLAY: display, GDK_BACKEND: 'x11', HOME: temporaryFolder() };
    for (let tries = 1; ; tries++) {
        const port = await freePort();
        const url = `http://127.0.0.1:${port}`;
        const driver = spawn(needProgram(DRIVER), [`--port=${port}`], { env, stdio: ['ignore', 'ignore', 'pipe'] });
        const { end, ended } = running('WebKitWebDriver', driver);
        try {
            await Promise.race([answers(url), ended]);
            return { url, end };
        } catch (error) {
            await end();
            if (tries === PORT_TRIES_MAX) {
                throw error;
            }
        }
    }
}

/**
 * Resolves once the driver at `url` is ready for a session.
 *
 * @param {string} url
 */
async function answers(url) {
    const signal = AbortSignal.timeout(START_TIMEOUT_MS);
    for (;;) {
        const answer = await fetch(`${url}/status`, { signal }).catch(() => undefined);
        if (answer?.ok) {
            return;
        }
        await delay(START_POLL_MS, undefined, { signal });
    }
}

/**
 * `ended` rejects once the process and those that it started have ended, with what they complained about; `end` resolves then.
 *
 * @param {string} name
 * @param {ChildProcess} child
 */
function running(name, child) {
    let complaints = '';
    child.stderr?.setEncoding('utf8').on('data', (text) => {
        complaints += text;
    });
    // They share its standard error, which closes with the last of them.
    const closed = once(child, 'close');
    /** @type {Promise<never>} */
    const ended = closed.then(([code, signal]) => {
        throw new Error(`${name} ended with ${signal ?? code}: ${complaints}`);
    });
    return {
        ended,
        async end() {
            child.kill();
            await closed.catch(() => {});
        },
    };
}

async function freePort() {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    server.close();
    await once(server, 'close');
    return port;
}
