/** Where the package is, packed and installed. */

import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const TARBALL = `${ROOT}packed/highwater.tgz`;
export const INSTALLED = `${ROOT}node_modules/highwater`;
