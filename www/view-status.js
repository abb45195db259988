/** How the connection is, as a lamp and a sentence. */

import { find, setText } from './dom.js';

const WORDS = {
  connecting: 'Connecting',
  replaying: 'Reading what happened before',
  live: 'Live',
  backing_off: 'Connection lost, trying again',
  failed: 'Stopped',
  closed: 'Closed',
};
/** What lies between two of the others is over before it is said. */
const PASSING = ['connecting', 'replaying'];

/**
 * @param {HTMLElement} line
 * @param {(text: string) => void} announce
 */
export function mountStatus(line, announce) {
  const words = find('#status', line);

  /** @param {import('highwater').StatusChange} change */
  function show(change) {
    const text = change.status === 'failed' ? `${WORDS.failed}: ${change.error.message}` : WORDS[change.status];
    line.dataset.status = change.status;
    setText(words, text);
    if (!PASSING.includes(change.status)) announce(text);
  }

  return { show };
}
