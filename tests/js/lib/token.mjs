/**
 * Tokens as whoever gives them out makes them.
 */

import { createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { temporaryFolder } from './server.mjs';

/** Makes a secret, and a file that `--auth-keys` takes. */
export function makeKeys() {
    const secret = randomBytes(32);
    const keys = join(temporaryFolder(), 'keys');
    writeFileSync(keys, `base64:${secret.toString('base64')}`);
    return { secret, keys };
}

/**
 * A token of these rights, good for a minute.
 *
 * @param {Buffer} secret
 * @param {object} rights
 */
export function tokenOf(secret, rights) {
    const exp = Math.floor(Date.now() / 1000) + 60;
    const parts = [{ alg: 'HS256' }, { sub: 'browser', exp, highwater: rights }];
    const message = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${message}.${createHmac('sha256', secret).update(message).digest('base64url')}`;
}
