/** What time and the page's own life tell. */

import type { Progress } from './requests.js';

/** The longest delay that timers know. */
const TIMER_MS_MAX = 2 ** 31 - 1;
/** A timer that goes off later than this waited for something else. */
const LATE_MS = 1_000;

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
          // In a page that was busy, what came meanwhile is heard first.
          if (Date.now() - at > LATE_MS) {
            this.#timer = setTimeout(this.#onTime, 0);
          } else {
            this.#onTime();
          }
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

/** A delay after `failures` others in a row, as the machine in wasm has them: at random below a ceiling that doubles. */
export function backoffMs(failures: number, baseMs: number, maxMs: number): number {
  return Math.random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30));
}

/** Waits; resolves early when `signal` aborts. */
export function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(delayMs, TIMER_MS_MAX));
    signal.addEventListener('abort', done);
    if (signal.aborted) {
      done();
    }
  });
}

/** Works as long as something is heard now and then, and `signal` has not aborted. */
export async function whileHeard<Result>(silenceMs: number, signal: AbortSignal, work: (progress: Progress) => Promise<Result>): Promise<Result> {
  const over = new AbortController();
  const end = (): void => over.abort(signal.reason);
  signal.addEventListener('abort', end, { signal: over.signal });
  const silence = (): ReturnType<typeof setTimeout> => setTimeout(() => over.abort(new Error(`nothing was heard for ${silenceMs} ms`)), silenceMs);
  let timer = silence();
  const heard = (): void => {
    over.signal.throwIfAborted();
    clearTimeout(timer);
    timer = silence();
  };
  try {
    signal.throwIfAborted();
    // Also where whoever works does not heed the signal.
    const ended = aborted(over.signal).then(() => Promise.reject(over.signal.reason as Error));
    return await Promise.race([work({ signal: over.signal, heard }), ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
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
