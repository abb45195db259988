/**
 * A site as it is deployed: files, a policy that allows nothing it does not need, and a Highwater server behind the same origin.
 */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request as forward } from 'node:http';
import { extname, join } from 'node:path';
import { pipeline } from 'node:stream';

const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src data:";
/** @type {{ readonly [extension: string]: string }} */
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.map': 'application/json', '.wasm': 'application/wasm' };

/**
 * @typedef {object} Site
 * @property {string} url
 * @property {() => Promise<void>} close
 */

/**
 * Serves each folder at its prefix, and Highwater's `/v1`. Where a folder lacks a file, the next one may have it.
 *
 * @param {[prefix: string, folder: string][]} folders
 * @param {string} highwater  The server's URL.
 * @returns {Promise<Site>}
 */
export async function serveSite(folders, highwater) {
    const server = createServer((request, response) => {
        if (request.url?.startsWith('/v1/')) {
            const { method, headers } = request;
            const forwarded = forward(new URL(request.url, highwater), { method, headers }, (answer) => {
                response.writeHead(answer.statusCode ?? 502, answer.headers);
                pipeline(answer, response, () => {});
            });
            pipeline(request, forwarded, () => {});
            return;
        }
        void find(new URL(request.url ?? '/', highwater).pathname, folders).then((content) => {
            response.setHeader('content-security-policy', POLICY);
            response.setHeader('content-type', TYPES[extname(request.url ?? '')] ?? 'text/plain');
            response.writeHead(content ? 200 : 404).end(content);
        });
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    return {
        url: `http://127.0.0.1:${port}`,
        close: async () => {
            server.close();
            server.closeAllConnections();
            await once(server, 'close');
        },
    };
}

/**
 * @param {string} path
 * @param {[prefix: string, folder: string][]} folders
 */
async function find(path, folders) {
    for (const [prefix, folder] of folders) {
        if (path.startsWith(prefix)) {
            const content = await readFile(join(folder, path.slice(prefix.length))).catch(() => undefined);
            if (content) {
                return content;
            }
        }
    }
    return undefined;
}
