/**
 * Whether this page is that of `highwater demo`, whose proxy answers this file itself, with `true`: so the page is told and has
 * nothing to ask for that might not be there.
 *
 * @type {boolean}
 */
export const isDemo = false;
