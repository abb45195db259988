/** How an intent gets its answer: it is sent, always the same, until there is one. */

import { HighwaterError, toError } from './error.js';
import type { IntentRecord, Recorded } from './intent.js';
import { submit } from './requests.js';
import type { Settings } from './settings.js';
import { backoffMs, sleep, whileHeard } from './timing.js';
import type { Problem } from './types.js';

/** What the server answered to an intent, as other tabs are told it. */
export interface Answer {
  readonly id: string;
  readonly recorded?: Recorded;
  /** Where its stream is, where that is not where it was expected. Then the refusal is not its end. */
  readonly conflict?: number;
  readonly refusal?: { readonly status: number; readonly problem: Problem | undefined } | undefined;
}

/** What is sent. */
export interface Sending {
  readonly record: IntentRecord;
  /** How often its stream was not where it expected. */
  conflicts: number;
}

export class Sender {
  readonly #settings: Settings;
  readonly #isOurs: (recorded: Recorded) => boolean;
  #endWait: () => void = () => {};

  /** `isOurs` says whether a place is in the log that is followed. */
  constructor(settings: Settings, isOurs: (recorded: Recorded) => boolean) {
    this.#settings = settings;
    this.#isOurs = isOurs;
  }

  /** What became of an intent; `undefined` where it is wanted no more, or `signal` aborts. */
  async send(sending: Sending, isWanted: () => Promise<boolean>, signal: AbortSignal): Promise<Answer | undefined> {
    for (let failures = 0; !signal.aborted && (await isWanted()) && !signal.aborted; failures += 1) {
      const { answer, retryAfterMs } = await this.#ask(sending.record, signal);
      if (answer?.conflict !== undefined && sending.conflicts++ > 0) {
        // Where others are always faster, it does not help to be as fast.
        await this.#wait(sending.conflicts, 0, signal);
      }
      if (answer) {
        return answer;
      }
      await this.#wait(failures, retryAfterMs, signal);
    }
    return undefined;
  }

  /** Waits no longer before something is sent again. */
  awake(): void {
    this.#endWait();
  }

  /** One request. No answer is where nobody knows whether it is recorded, or it may be later. */
  async #ask(record: IntentRecord, signal: AbortSignal): Promise<{ answer: Answer | undefined; retryAfterMs: number }> {
    const { id } = record;
    try {
      const recorded = await whileHeard(this.#settings.connectTimeoutMs, signal, (progress) => submit(this.#settings, record, progress.signal));
      // Of another log than the one that is followed: the connection will say so. Until then there is nothing to compare it with.
      return { answer: this.#isOurs(recorded) ? { id, recorded } : undefined, retryAfterMs: 0 };
    } catch (thrown) {
      return { answer: refusalOf(id, thrown), retryAfterMs: thrown instanceof HighwaterError ? thrown.retryAfterMs : 0 };
    }
  }

  /** Waits at random; less long where the device wakes. */
  async #wait(failures: number, retryAfterMs: number, signal: AbortSignal): Promise<void> {
    const { backoffBaseMs, backoffMaxMs } = this.#settings;
    const waiting = new AbortController();
    const end = (): void => waiting.abort();
    this.#endWait = end;
    signal.addEventListener('abort', end, { signal: waiting.signal });
    if (!signal.aborted) {
      await sleep(retryAfterMs + backoffMs(failures, backoffBaseMs, backoffMaxMs), waiting.signal);
    }
    end();
  }
}

/** What a failed request means for its intent; `undefined` where nobody knows whether it is recorded, or it may be later. */
function refusalOf(id: string, thrown: unknown): Answer | undefined {
  const error = toError(thrown);
  // A token may be had later, and what a user meant is not to be lost for want of it.
  if (!(error instanceof HighwaterError) || error.retryable || error.status === 401) {
    return undefined;
  }
  const { status, problem } = error;
  const answer = { id, refusal: { status, problem } };
  return status === 412 ? { ...answer, conflict: Number(problem?.['revision'] ?? 0) } : answer;
}
