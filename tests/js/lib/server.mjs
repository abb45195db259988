/**
 * The real server, run for a test on a free port and a folder of its own.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const BINARY = process.env.HIGHWATER_BIN ?? fileURLToPath(new URL('../../../target/debug/highwater', import.meta.url));
const START_TIMEOUT_MS = 20_000;

/**
 * @typedef {object} Server
 * @property {string} url  `http://ADDRESS`.
 * @property {string} data  Its folder, kept when it stops: start another on it to restart.
 * @property {() => Promise<void>} stop  Ends it as its operator would.
 * @property {() => Promise<void>} kill  Ends it as a crash would.
 */

/** The environment without the server's own settings, so that a developer's do not leak into a test. */
export const environment = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('HIGHWATER_')),
);

/**
 * Starts `highwater serve`. With `data` and `listen` it takes the place of a server before it.
 *
 * @param {{ data?: string, listen?: string, flags?: string[] }} [options]
 * @returns {Promise<Server>}
 */
export async function startServer({ data = temporaryFolder(), listen = '127.0.0.1:0', flags = [] } = {}) {
    return { data, ...(await start(['serve', '--listen', listen, '--data', data, ...flags])) };
}

/**
 * Starts `highwater demo` on a log of its own, which it removes when it stops.
 *
 * @param {{ flags?: string[] }} [options]
 */
export function startDemo({ flags = [] } = {}) {
    return start(['demo', '--listen', '127.0.0.1:0', ...flags]);
}

/**
 * Starts a command that serves, and waits until it says where.
 *
 * @param {string[]} args
 */
async function start(args) {
    const server = highwater(args);
    const ended = once(server, 'exit');
    /** @param {NodeJS.Signals} signal */
    const end = async (signal) => {
        server.kill(signal);
        await ended;
    };
    const url = await listeningOn(server).catch(async (error) => {
        await end('SIGKILL');
        throw error;
    });
    return { url, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

/**
 * Runs a command of the binary to its end and gives what it wrote to its standard output.
 *
 * @param {string[]} args
 * @returns {Promise<string>}
 */
export async function run(args) {
    const command = highwater(args);
    let output = '';
    command.stdout.setEncoding('utf8').on('data', (text) => {
        output += text;
    });
    const [code, signal] = await once(command, 'close');
    if (code !== 0) {
        throw new Error(`highwater ${args[0]} ended with ${signal ?? code}`);
    }
    return output;
}

/**
 * Runs a line as a person types it into a shell, where `highwater` is ours.
 *
 * @param {string} line
 */
export async function runLine(line) {
    const env = { ...environment, PATH: [dirname(BINARY), environment.PATH].join(delimiter) };
    const shell = spawn('sh', ['-c', line], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const [code, signal] = await once(shell, 'close');
    if (code !== 0) {
        throw new Error(`${line} ended with ${signal ?? code}`);
    }
}

/** Makes a folder that is removed when the test's process ends. */
export function temporaryFolder() {
    const folder = mkdtempSync(join(tmpdir(), 'highwater-'));
    process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
    return folder;
}

/** @param {string[]} args */
function highwater(args) {
    return spawn(BINARY, args, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
}

/**
 * @param {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} server
 */
async function listeningOn(server) {
    const lines = createInterface({ input: server.stdout });
    const failed = once(server, 'exit').then(([code]) => {
        throw new Error(`the server ended with ${code} before it listened`);
    });
    const [line] = await Promise.race([once(lines, 'line', { signal: AbortSignal.timeout(START_TIMEOUT_MS) }), failed]);
    const url = /^(?:listening on|open) (http:\/\/[^\s/]+)\/?$/.exec(line)?.[1];
    if (url === undefined) {
        throw new Error(`the server's first line is '${line}'`);
    }
    return url;
}
