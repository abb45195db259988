/** What time and the page's own life tell. */

/** The longest delay that timers know. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Calls back at a time that may change often. */
export class Timer {
  readonly #onTime: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When it goes off. Later ones wait for that: to set a timer for every chunk would cost more than the chunk. */
  #at = Number.POSITIVE_INFINITY;

  constructor(onTime: () => void) {
    this.#onTime = onTime;
  }

  /** In milliseconds since 1970; below 0 is never. Where it calls back too early, it is to be set again. */
  set(at: number): void {
    if (at < 0) {
      this.#clear();
    } else if (at < this.#at) {
      this.#clear();
      this.#at = at;
      this.#timer = setTimeout(
        () => {
          this.#clear();
          this.#onTime();
        },
        Math.min(Math.max(at - Date.now(), 0), TIMER_MS_MAX),
      );
    }
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#at = Number.POSITIVE_INFINITY;
  }
}

/**
 * Calls back when the device finds a network again, the page is looked at again or is back from where browsers keep pages that
 * were left. The function it returns ends that.
 */
export function onAwake(awake: () => void): () => void {
  const { document } = globalThis as { document?: Document };
  const shown = (): void => {
    if (document?.visibilityState === 'visible') {
      awake();
    }
  };
  const over = new AbortController();
  const { signal } = over;
  if (typeof globalThis.addEventListener === 'function') {
    globalThis.addEventListener('online', awake, { signal });
    globalThis.addEventListener('pageshow', awake, { signal });
  }
  document?.addEventListener('visibilitychange', shown, { signal });
  document?.addEventListener('resume', awake, { signal });
  return () => over.abort();
}

/** Resolves when `signal` aborts, or at once where it did. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve());
    if (signal.aborted) {
      resolve();
    }
  });
}
