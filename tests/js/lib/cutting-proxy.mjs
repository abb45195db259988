/**
 * A TCP proxy that breaks every connection after a while, or after so much of an answer, on both sides and without warning.
 */

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * @typedef {object} CuttingProxy
 * @property {string} url
 * @property {Request[]} requests  The requests that came through, in order: the first of each connection.
 * @property {() => number} cuts  How many connections it has broken.
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Request
 * @property {string} path  With the query.
 * @property {string | undefined} lastEventId
 */

/**
 * Stands before `target`. `onRequest` and `onCut` are told what happens, as it does.
 *
 * @param {object} options
 * @param {string} options.target  The server's URL.
 * @param {number} [options.cutAfterMs]
 * @param {number} [options.cutAfterBytes]  So much of what the server sends still arrives.
 * @param {(request: Request) => void} [options.onRequest]
 * @param {() => void} [options.onCut]
 * @returns {Promise<CuttingProxy>}
 */
export async function startCuttingProxy({ target, cutAfterMs, cutAfterBytes = Infinity, onRequest = () => {}, onCut = () => {} }) {
    const { hostname, port } = new URL(target);
    /** @type {Request[]} */
    const requests = [];
    /** @type {Set<import('node:net').Socket>} */
    const open = new Set();
    let cuts = 0;

    const proxy = createServer((client) => {
        const server = connect(Number(port), hostname);
        const cut = () => {
            cuts += 1;
            server.destroy();
            client.destroySoon();
            onCut();
        };
        const timer = cutAfterMs === undefined ? undefined : setTimeout(cut, cutAfterMs);
        const end = () => {
            clearTimeout(timer);
            server.destroy();
            client.destroy();
        };
        for (const socket of [client, server]) {
            open.add(socket);
            socket.setNoDelay(true).on('error', end).on('close', () => {
                open.delete(socket);
                end();
            });
        }
        client.once('data', (head) => {
            const request = parseHead(head.toString('latin1'));
            requests.push(request);
            onRequest(request);
        });
        client.pipe(server);
        let bytesLeft = cutAfterBytes;
        server.on('data', (chunk) => {
            client.write(chunk.subarray(0, bytesLeft));
            bytesLeft -= chunk.length;
            if (bytesLeft <= 0) {
                cut();
            }
        });
    });

    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const address = /** @type {import('node:net').AddressInfo} */ (proxy.address());
    return {
        url: `http://127.0.0.1:${address.port}`,
        requests,
        cuts: () => cuts,
        close: async () => {
            const closed = once(proxy, 'close');
            proxy.close();
            for (const socket of open) {
                socket.destroy();
            }
            await closed;
        },
    };
}

/** @param {string} head */
function parseHead(head) {
    const [line = '', ...headers] = head.split('\r\n');
    const lastEventId = headers.map((header) => /^last-event-id: *(.*)$/i.exec(header)?.[1]).find(Boolean);
    return { path: line.split(' ')[1] ?? '', lastEventId };
}
