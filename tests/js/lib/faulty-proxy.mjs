/**
 * A proxy that does to event streams what networks do, and the files of a page beside it: the first segment of a path says
 * which fault.
 */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, request as forward } from 'node:http';
import { extname, join } from 'node:path';

/**
 * What becomes of the blocks of a stream. `number` counts its events.
 *
 * @type {{ readonly [fault: string]: (block: string, number: number) => string }}
 */
const FAULTS = {
    none: (block) => block,
    twice: (block) => block + block,
    losing: (block, number) => (isEvent(block) && number % 2 === 1 ? '' : block),
    'kept-back': () => '',
};
const TYPES = { '.js': 'text/javascript', '.wasm': 'application/wasm' };

/**
 * @typedef {object} FaultyProxy
 * @property {string} url  To be followed by a fault.
 * @property {(fault: string) => Promise<void>} ended  Resolves once no client reads a stream with this fault.
 * @property {() => Promise<void>} close
 */

/**
 * Stands before the server at `target`, asked for at each request, and has the files of `folder` at `/files/`; `/` is an empty page.
 *
 * @param {{ target: () => string, folder: string }} options
 * @returns {Promise<FaultyProxy>}
 */
export async function startFaultyProxy({ target, folder }) {
    /** @type {Map<string, Set<import('node:http').ServerResponse>>} */
    const open = new Map(Object.keys(FAULTS).map((fault) => [fault, new Set()]));

    /** @type {import('node:http').RequestListener} */
    const pass = ({ method, url = '', headers }, response) => {
        const [, fault = '', path = ''] = /^\/([^/]+)(\/.*)$/.exec(url) ?? [];
        const spoil = FAULTS[fault];
        const upstream = forward(new URL(spoil ? path : url, target()), { method, headers }, (answer) => {
            response.writeHead(answer.statusCode ?? 502, answer.headers);
            response.flushHeaders();
            if (!spoil || !answer.headers['content-type']?.startsWith('text/event-stream')) {
                answer.pipe(response);
                return;
            }
            open.get(fault)?.add(response);
            response.once('close', () => open.get(fault)?.delete(response));
            void spoilBlocks(answer, response, spoil);
        });
        // What breaks on one side breaks on the other, without a word.
        upstream.on('error', () => response.destroy());
        response.once('close', () => upstream.destroy());
        upstream.end();
    };

    const proxy = createServer((request, response) => {
        const file = /^\/files\/([\w.]+)$/.exec(request.url ?? '')?.[1];
        if (request.url === '/') {
            response.setHeader('content-type', 'text/html').end('<!doctype html><pre id="output"></pre>');
        } else if (file !== undefined) {
            const type = TYPES[/** @type {keyof typeof TYPES} */ (extname(file))] ?? 'text/plain';
            readFile(join(folder, file)).then(
                (content) => response.setHeader('content-type', type).end(content),
                () => response.writeHead(404).end(),
            );
        } else {
            pass(request, response);
        }
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (proxy.address());
    return {
        url: `http://127.0.0.1:${port}`,
        ended: async (fault) => {
            await Promise.all([...(open.get(fault) ?? [])].map((response) => once(response, 'close')));
        },
        close: async () => {
            proxy.close();
            proxy.closeAllConnections();
            await once(proxy, 'close');
        },
    };
}

/**
 * @param {import('node:http').IncomingMessage} answer
 * @param {import('node:http').ServerResponse} response
 * @param {(block: string, number: number) => string} spoil
 */
async function spoilBlocks(answer, response, spoil) {
    let text = '';
    let events = 0;
    try {
        for await (const chunk of answer.setEncoding('utf8')) {
            const blocks = (text + chunk).split(/(?<=\n\n)/);
            text = blocks.at(-1)?.endsWith('\n\n') ? '' : (blocks.pop() ?? '');
            for (const block of blocks) {
                response.write(spoil(block, events));
                events += isEvent(block) ? 1 : 0;
            }
        }
        response.end();
    } catch {
        response.destroy();
    }
}

/** @param {string} block */
function isEvent(block) {
    return /^id:/m.test(block) && !/^event:/m.test(block);
}
