/**
 * The folder of test data, which lies outside the project: `HIGHWATER_DATA`, or `../shared/data` beside the workspace.
 */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BESIDE_THE_WORKSPACE = fileURLToPath(new URL('../../../../shared/data', import.meta.url));

/**
 * The path of `name`, or `undefined` where it is absent and so the test has to be skipped. Throws where `CI` is set, as
 * there no test may be skipped, or where `HIGHWATER_DATA` is set and wrong.
 *
 * @param {string} name
 */
export function dataPath(name) {
    const given = process.env.HIGHWATER_DATA;
    const path = join(given ?? BESIDE_THE_WORKSPACE, name);
    if (existsSync(path)) {
        return path;
    }
    if (given !== undefined || process.env.CI !== undefined) {
        throw new Error(`test data is missing: ${path}`);
    }
    return undefined;
}
