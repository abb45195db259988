/** When to try again, and when to stop waiting. */

/** The longest delay that timers know. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/**
 * The delay before the next attempt after `failures` others in a row: exponential, capped, and all of it jitter, so that clients cut
 * off together do not come back together. What the server asks for comes on top.
 */
export function backoffMs(failures: number, baseMs: number, maxMs: number, retryAfterMs: number): number {
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30));
  return Math.min(retryAfterMs + Math.random() * ceilingMs, TIMER_MS_MAX);
}

/** Waits; resolves early when `signal` aborts, or, if `online`, when the device finds a network again, as browsers tell. */
export function sleep(delayMs: number, signal: AbortSignal, online: boolean): Promise<void> {
  const page = online && typeof globalThis.addEventListener === 'function' ? globalThis : undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      page?.removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener('abort', done);
    page?.addEventListener('online', done);
    if (signal.aborted) {
      done();
    }
  });
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

/** Calls back after a silence. */
export class Watchdog {
  #limitMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #onSilence: (limitMs: number) => void;

  constructor(limitMs: number, onSilence: (limitMs: number) => void) {
    this.#limitMs = limitMs;
    this.#onSilence = onSilence;
    this.feed();
  }

  /** Something was heard. */
  feed(): void {
    this.rest();
    this.#timer = setTimeout(() => this.#onSilence(this.#limitMs), this.#limitMs);
  }

  /** How much silence is too much from now on; 0 leaves it as it is. */
  limit(limitMs: number): void {
    this.#limitMs = Math.min(limitMs || this.#limitMs, TIMER_MS_MAX);
    this.feed();
  }

  /** Nothing is expected until it is fed again. */
  rest(): void {
    clearTimeout(this.#timer);
  }
}
