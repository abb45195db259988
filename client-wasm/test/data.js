/** The folder of test data, which lies outside the project: `HIGHWATER_DATA`, or `../shared/data` beside the workspace. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const beside = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

/**
 * The JSON document `name`, or `undefined` where it is absent and so the test has to be skipped. Throws where `CI` is set, as
 * there no test may be skipped, or where `HIGHWATER_DATA` is set and wrong.
 */
export function readData(name) {
  const given = process.env.HIGHWATER_DATA;
  const path = `${given ?? beside}/${name}`;
  if (existsSync(path)) {
    return JSON.parse(readFileSync(path, 'utf8'));
  }
  if (given !== undefined || process.env.CI !== undefined) {
    throw new Error(`test data is missing: ${path}`);
  }
  return undefined;
}
