/**
 * A state at a place in the log, asked of the server: not while the reader is still moving, not twice, and what was asked
 * last wins.
 *
 * @template Answer
 */

const DELAY_MS = 120;
export const CACHED_MAX = 64;

/**
 * @template Answer
 * @typedef {{ status: 'loading' } | { status: 'shown', answer: Answer } | { status: 'failed', error: Error }} Told
 */

/**
 * @template Answer
 * @param {object} options
 * @param {(key: number, signal: AbortSignal) => Promise<Answer>} options.read
 * @param {(key: number, told: Told<Answer>) => void} options.show  Called for what was asked last, and for nothing else.
 * @param {number} [options.delayMs]
 */
export function newPast({ read, show, delayMs = DELAY_MS }) {
  /** @type {Map<number, Answer>} */
  const cached = new Map();
  let asking = new AbortController();
  /** @type {number | undefined} */
  let asked;

  /** @param {number} key */
  function ask(key) {
    asking.abort();
    asking = new AbortController();
    asked = key;
    const known = cached.get(key);
    if (known !== undefined) return show(key, { status: 'shown', answer: known });
    show(key, { status: 'loading' });
    const { signal } = asking;
    const timer = setTimeout(() => void answer(key, signal), delayMs);
    signal.addEventListener('abort', () => clearTimeout(timer));
  }

  /**
   * @param {number} key
   * @param {AbortSignal} signal
   */
  async function answer(key, signal) {
    try {
      const answer = await read(key, signal);
      keep(key, answer);
      if (!signal.aborted) show(key, { status: 'shown', answer });
    } catch (thrown) {
      if (signal.aborted) return;
      show(key, { status: 'failed', error: thrown instanceof Error ? thrown : new Error(String(thrown)) });
    }
  }

  /**
   * @param {number} key
   * @param {Answer} answer
   */
  function keep(key, answer) {
    cached.set(key, answer);
    const [oldest = key] = cached.keys();
    if (cached.size > CACHED_MAX) cached.delete(oldest);
  }

  return {
    ask,
    /** Asks again for what failed. */
    retry() {
      if (asked !== undefined) ask(asked);
    },
    /** Another log is served: what is known is of no use. */
    clear() {
      asking.abort();
      asked = undefined;
      cached.clear();
    },
  };
}
