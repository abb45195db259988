/**
 * How the connection is, as a lamp and a sentence; and the one live region, which tells who cannot see the page what
 * changed, at most every few seconds.
 */

import { find, setText } from './dom.js';

const ANNOUNCE_EVERY_MS = 8_000;

const WORDS = {
  connecting: 'Connecting',
  replaying: 'Reading what happened before',
  live: 'Live',
  backing_off: 'Connection lost, trying again',
  failed: 'Stopped',
  closed: 'Closed',
};

/**
 * @param {HTMLElement} line
 * @param {HTMLElement} announcer
 */
export function mountStatus(line, announcer) {
  const words = find('#status', line);
  let pending = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  /** @param {string} text */
  function announce(text) {
    pending = text;
    if (timer === undefined) tell();
  }

  function tell() {
    setText(announcer, pending);
    timer = setTimeout(() => {
      timer = undefined;
      if (announcer.textContent !== pending) tell();
    }, ANNOUNCE_EVERY_MS);
  }

  /** @param {import('highwater').StatusChange} change */
  function show(change) {
    line.dataset.status = change.status;
    setText(words, change.status === 'failed' ? `${WORDS.failed}: ${change.error.message}` : WORDS[change.status]);
    announce(words.textContent ?? '');
  }

  return { show, announce };
}
