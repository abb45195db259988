/**
 * Chromium, as the machine has it.
 */

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { chromium } from 'playwright-core';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Starts the browser that `HIGHWATER_CHROMIUM` names, or the first that `PATH` has. */
export function launchChromium() {
    const executablePath = process.env.HIGHWATER_CHROMIUM ?? inPath();
    if (executablePath === undefined) {
        throw new Error('no Chromium in PATH: name one in HIGHWATER_CHROMIUM');
    }
    return chromium.launch({ executablePath });
}

function inPath() {
    const folders = (process.env.PATH ?? '').split(delimiter);
    const candidates = PROGRAMS.flatMap((program) => folders.map((folder) => join(folder, program)));
    return candidates.find((candidate) => existsSync(candidate));
}
