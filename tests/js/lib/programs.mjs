/**
 * Programs of the machine that tests drive.
 */

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * @typedef {object} Program
 * @property {string} what  For people.
 * @property {string} variable  Names the one to use.
 * @property {string[]} names  What to look for in `PATH` where the variable is not set.
 */

/**
 * The path of `program`, or `undefined` where the machine has none.
 *
 * @param {Program} program
 */
export function findProgram({ variable, names }) {
    const folders = (process.env.PATH ?? '').split(delimiter);
    const candidates = names.flatMap((name) => folders.map((folder) => join(folder, name)));
    return process.env[variable] ?? candidates.find((candidate) => existsSync(candidate));
}

/**
 * As `findProgram`, but throws where the machine has none.
 *
 * @param {Program} program
 */
export function needProgram(program) {
    const path = findProgram(program);
    if (path === undefined) {
        throw new Error(missing(program));
    }
    return path;
}

/** @param {Program} program */
export function missing({ what, variable }) {
    return `no ${what} in PATH: name one in ${variable}`;
}
