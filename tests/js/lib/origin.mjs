/**
 * An origin of its own for pages: it has an empty page and the package at hand, and hands everything else to a server, which may be down.
 */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { pipeline } from 'node:stream';

const DIST = new URL('../../../client-wasm/dist/', import.meta.url);
const TYPES = { js: 'text/javascript', wasm: 'application/wasm', map: 'application/json' };

/**
 * Stands before `target`, the server's URL. The first append waits for what `before` does, pages of the log for `pages`; event streams
 * are opened at once, and bring nothing until `speaks` resolves.
 *
 * @param {string} target
 * @param {{ before?: () => Promise<unknown>, pages?: Promise<unknown>, speaks?: Promise<unknown> }} [options]
 */
export async function startOrigin(target, { before, pages, speaks } = {}) {
    let streams = 0;
    const origin = createServer(async (asked, response) => {
        const path = asked.url ?? '/';
        const file = /^\/highwater\/([\w-]+\.(js|wasm|map))$/.exec(path);
        if (path === '/docs') {
            response.setHeader('content-type', 'text/html').end('<!doctype html><title>empty</title>');
        } else if (file) {
            response.setHeader('content-type', TYPES[/** @type {keyof typeof TYPES} */ (file[2])]);
            response.end(await readFile(new URL(file[1] ?? '', DIST)));
        } else {
            if (asked.method === 'POST' && before) {
                const waited = before;
                before = undefined;
                await waited();
            }
            if (asked.headers.accept === 'application/json') {
                await pages;
            }
            const { host } = new URL(target);
            const onward = request(new URL(path, target), { method: asked.method, headers: { ...asked.headers, host } }, async (answer) => {
                response.writeHead(answer.statusCode ?? 502, answer.headers);
                response.flushHeaders();
                if (answer.headers['content-type']?.startsWith('text/event-stream')) {
                    streams += 1;
                    await speaks;
                }
                pipeline(answer, response, () => {});
            });
            onward.on('error', () => response.destroy());
            response.on('close', () => onward.destroy());
            asked.pipe(onward);
        }
    });
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    const address = /** @type {import('node:net').AddressInfo} */ (origin.address());
    return {
        url: `http://127.0.0.1:${address.port}`,
        /** How many event streams were opened. */
        streams: () => streams,
        stop: async () => {
            origin.closeAllConnections();
            origin.close();
            await once(origin, 'close');
        },
    };
}
