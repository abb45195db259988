/**
 * Keeps one set of topics connected: opens the stream, reads it, fetches what is missing, and after an end begins again from the
 * cursor. What anything means is decided in wasm; here is only when to ask.
 */

import { Disconnected, HighwaterError, toError } from './error.js';
import { type Judge, Kind, type Record } from './judge.js';
import { openStream, type Progress, readLogPage, readStreamPage } from './requests.js';
import type { Settings } from './settings.js';
import { aborted, backoffMs, sleep, Watchdog } from './timing.js';
import type { Problem, StatusChange } from './types.js';

/** How many heartbeats' time without a sign means that the connection is dead. */
const SILENT_HEARTBEATS_MAX = 2.5;
/**
 * A connection that has been of use for this long makes up for the failures before it. Sooner than that, a server that says it
 * is ready and then drops everyone would be asked again and again at once; later, whoever is behind a proxy that allows a
 * connection some seconds would be away for longer than it is there.
 */
const SETTLED_MS = 5_000;

/** Who is told. */
export interface Owner {
  tell(record: Record): void;
  status(change: StatusChange): void;
  /** Whether it can take more events now; it calls `madeRoom` when that may have changed. */
  hasRoom(): boolean;
}

export class Connection {
  readonly #settings: Settings;
  readonly #judge: Judge;
  readonly #owner: Owner;
  readonly #closing = new AbortController();
  #attempt: Attempt | undefined;
  /** In a row. */
  #failures = 0;
  #waiting: (() => void)[] = [];

  constructor(settings: Settings, judge: Judge, owner: Owner) {
    this.#settings = settings;
    this.#judge = judge;
    this.#owner = owner;
  }

  /** Until it is closed. Throws what makes every further attempt useless. */
  async run(): Promise<void> {
    const closing = this.#closing.signal;
    while (!closing.aborted) {
      this.#judge.connect();
      this.#attempt = new Attempt();
      this.#owner.status({ status: 'connecting' });
      const cause = await this.#follow(this.#attempt);
      if (closing.aborted) {
        return;
      }
      if (cause instanceof HighwaterError && !cause.retryable) {
        throw cause;
      }
      const { backoffBaseMs, backoffMaxMs } = this.#settings;
      const retryAfterMs = cause instanceof HighwaterError || cause instanceof Disconnected ? cause.retryAfterMs : 0;
      const delayMs = backoffMs(this.#failures, backoffBaseMs, backoffMaxMs, retryAfterMs);
      this.#failures += 1;
      this.#owner.status({ status: 'backing_off', delayMs, cause });
      // What the server asks for holds also where the network comes back.
      await sleep(delayMs, closing, retryAfterMs === 0);
    }
  }

  madeRoom(): void {
    if (this.#waiting.length > 0 && this.#owner.hasRoom()) {
      this.#wake();
    }
  }

  close(): void {
    this.#closing.abort();
    this.#end(this.#attempt, new Disconnected('the client was closed'));
  }

  /** One connection, from its request to its end. */
  async #follow(attempt: Attempt): Promise<Error> {
    const watchdog = new Watchdog(this.#settings.connectTimeoutMs, (limitMs) => {
      this.#end(attempt, new Disconnected(`nothing was heard for ${limitMs} ms`));
    });
    let cause = new Disconnected('the server ended the stream') as Error;
    try {
      await this.#read(attempt, watchdog);
    } catch (thrown) {
      cause = toError(thrown);
    }
    watchdog.rest();
    this.#end(attempt, cause);
    return attempt.signal.reason as Error;
  }

  async #read(attempt: Attempt, watchdog: Watchdog): Promise<void> {
    const { signal } = attempt;
    const opening = openStream(this.#settings, this.#judge.cursor ?? this.#settings.after, signal);
    const over = aborted(signal);
    // What is open, or opens too late, ends even where the one who fetches does not heed the signal.
    void over.then(async () => (await opening).cancel()).catch(() => {});
    const reader = await Promise.race([opening, over]);
    if (!reader || signal.aborted) {
      return;
    }
    this.#owner.status({ status: 'replaying' });
    while (!signal.aborted) {
      watchdog.feed();
      const { done, value } = await reader.read();
      if (done || signal.aborted) {
        return;
      }
      this.#take(this.#judge.received(value), attempt, watchdog);
      watchdog.rest(); // While there is no room, the silence is ours.
      await this.#room(attempt);
    }
  }

  /** Fetches a page of what is missing. Where that fails, the next connection brings it. */
  async #fill(missing: Record, attempt: Attempt): Promise<void> {
    const { signal } = attempt;
    await this.#room(attempt);
    if (signal.aborted) {
      return;
    }
    const watchdog = new Watchdog(this.#settings.connectTimeoutMs, (limitMs) => {
      this.#end(attempt, new Disconnected(`what is missing was asked for, and nothing was heard for ${limitMs} ms`));
    });
    const progress: Progress = {
      signal,
      // Whoever does not heed the signal is not listened to any longer.
      heard: () => {
        signal.throwIfAborted();
        watchdog.feed();
      },
    };
    try {
      const ofLog = missing.kind === Kind.FetchLog;
      const page = ofLog
        ? await readLogPage(this.#settings, missing.position, progress)
        : await readStreamPage(this.#settings, missing.value as string, missing.number, this.#judge.epoch, progress);
      if (!signal.aborted) {
        this.#take(this.#judge.fetched(page, ofLog), attempt);
      }
    } catch (thrown) {
      this.#end(attempt, Disconnected.by('what is missing could not be fetched', toError(thrown)));
    } finally {
      watchdog.rest();
    }
  }

  /** Heeds all that was judged, also after one record that ends the attempt: the cursor is behind them all. */
  #take(records: readonly Record[], attempt: Attempt, watchdog?: Watchdog): void {
    for (const record of records) {
      switch (record.kind) {
        case Kind.Ready:
          this.#isOfUse(attempt);
          watchdog?.limit(milliseconds(record, 'heartbeat_ms') * SILENT_HEARTBEATS_MAX);
          this.#owner.status({ status: 'live' });
          break;
        case Kind.Goodbye:
          this.#end(attempt, new Disconnected('the server said goodbye', milliseconds(record, 'retry_ms')));
          break;
        case Kind.Error:
          this.#end(attempt, problem(record));
          break;
        case Kind.Reconnect:
          this.#end(attempt, new Disconnected('the stream does not fit what is known of the log'));
          break;
        case Kind.Broken:
          this.#end(attempt, new Disconnected('what arrived is not of the protocol'));
          break;
        case Kind.FetchLog:
        case Kind.FetchStream:
          void this.#fill(record, attempt);
          break;
        default:
          if (record.kind === Kind.Apply) {
            this.#isOfUse(attempt);
          }
          this.#owner.tell(record);
      }
    }
  }

  /** It is live, or has brought something new. */
  #isOfUse(attempt: Attempt): void {
    attempt.settling ??= setTimeout(() => {
      this.#failures = 0;
    }, SETTLED_MS);
  }

  #end(attempt: Attempt | undefined, cause: Error): void {
    attempt?.end(cause);
    this.#wake();
  }

  /** Waits until the owner can take more, or the attempt is over. */
  async #room({ signal }: Attempt): Promise<void> {
    while (!signal.aborted && !this.#owner.hasRoom()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    this.#waiting.splice(0).forEach((resolve) => resolve());
  }
}

/** One connection and the fetches that belong to it. */
class Attempt {
  /** Runs from when it was first of use. */
  settling: ReturnType<typeof setTimeout> | undefined;
  readonly #over = new AbortController();

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** The first cause stays. */
  end(cause: Error): void {
    clearTimeout(this.settling);
    this.#over.abort(cause);
  }
}

function milliseconds({ value }: Record, member: 'heartbeat_ms' | 'retry_ms'): number {
  const number = (value as { [member]?: unknown } | undefined)?.[member];
  return typeof number === 'number' && number > 0 ? number : 0;
}

function problem({ value }: Record): HighwaterError {
  const { problem } = (value ?? {}) as { problem?: Problem };
  return new HighwaterError(problem?.status ?? 500, problem);
}
