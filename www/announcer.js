/**
 * What the page's one live region says, for who cannot see it: how the connection is before anything else, and what the
 * counts are, at most every few seconds.
 */

export const COUNTS_EVERY_MS = 8_000;
/** A voice needs its time. */
export const STATUS_EVERY_MS = 2_000;
/** That it was lost is said, too, where it was back before that could be said. */
const STATUSES_MAX = 2;

/** @param {(text: string) => void} say */
export function newAnnouncer(say) {
  /** @type {string[]} */
  const statuses = [];
  let counts = '';
  let said = '';
  let isAfterStatus = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let pause;

  function tell() {
    clearTimeout(pause);
    pause = undefined;
    while (statuses[0] === said) statuses.shift();
    isAfterStatus = statuses.length > 0;
    const text = statuses.shift() ?? counts;
    if (!isAfterStatus) counts = '';
    if (text === '' || text === said) return;
    said = text;
    say(text);
    pause = setTimeout(tell, isAfterStatus ? STATUS_EVERY_MS : COUNTS_EVERY_MS);
  }

  return {
    /**
     * Waits for no counts.
     *
     * @param {string} text
     */
    status(text) {
      if (text === statuses.at(-1)) return;
      statuses.push(text);
      if (statuses.length > STATUSES_MAX) statuses.shift();
      if (pause === undefined || !isAfterStatus) tell();
    },
    /** @param {string} text */
    counts(text) {
      counts = text;
      if (pause === undefined) tell();
    },
  };
}
