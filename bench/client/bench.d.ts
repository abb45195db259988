/** The bundle as it stands in a page. */
declare const bench: typeof import('./src/index.js');
