/**
 * A stream's state, folded from its events: from its first one on, and then as they come. A store believes nobody that it has seen
 * everything: an event that does not follow the last one makes it read the stream from there.
 */

import { HighwaterError, MissingError, toError } from './error.js';
import { tellAll } from './listeners.js';
import { type Progress, readStreamPage } from './requests.js';
import type { Settings } from './settings.js';
import { backoffMs, sleep, whileHeard } from './timing.js';
import type { CloudEvent, Snapshot, StateOptions, Store, Unreadable } from './types.js';

/** What a store needs of its client. */
export interface StoreOwner {
  /** The log that positions are of; empty while that is not known. */
  epoch(): string;
  /** An event could not be folded. */
  unreadable(told: Unreadable): void;
  closed(): void;
}

interface Page<Data> {
  readonly events: CloudEvent<Data>[];
  /** The stream's last. */
  readonly revision: number;
}

export class StreamStore<State = unknown, Data = unknown> implements Store<State> {
  readonly stream: string;
  readonly #options: StateOptions<State, Data>;
  readonly #settings: Settings;
  readonly #owner: StoreOwner;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<() => void>();
  #snapshot: Snapshot<State>;
  /** The last revision that is known to be there. */
  #wanted = 0;
  #isReading = false;
  /** Whether a page is to be read, after the one that is being read. */
  #isWanted = false;

  constructor(stream: string, options: StateOptions<State, Data>, settings: Settings, owner: StoreOwner) {
    this.stream = stream;
    this.#options = options;
    this.#settings = settings;
    this.#owner = owner;
    this.#snapshot = { status: 'loading', state: options.initial, revision: 0, version: 0 };
    void this.read();
  }

  // Given away as they are, as React wants them.
  readonly subscribe = (listener: () => void): (() => void) => {
    const called = (): void => listener();
    this.#listeners.add(called);
    return () => this.#listeners.delete(called);
  };

  readonly getSnapshot = (): Snapshot<State> => this.#snapshot;

  close(): void {
    this.#closing.abort();
    this.#listeners.clear();
    this.#owner.closed();
  }

  /** Nothing more comes. */
  end(error: Error | undefined): void {
    this.#closing.abort();
    if (error) {
      this.#fail(error);
    }
  }

  #fail(error: Error): void {
    this.#change({ ...this.#snapshot, status: 'failed', error });
  }

  /** An event of the stream was judged, whatever the verdict. */
  take(event: CloudEvent<Data>): void {
    const { revision, status } = this.#snapshot;
    this.#wanted = Math.max(this.#wanted, event.revision);
    if (event.revision === revision + 1) {
      this.#change(this.#fold(this.#snapshot, event));
    } else if (event.revision > revision && status !== 'failed') {
      this.#change({ ...this.#snapshot, status: 'loading' });
      void this.read();
    }
  }

  /** The log is another one. */
  reset(): void {
    this.#wanted = 0;
    this.#change({ status: 'loading', state: this.#options.initial, revision: 0, version: 0 });
    void this.read();
  }

  /** Reads what comes after the last event folded, until there is no more; once more where it is being read already. */
  async read(): Promise<void> {
    this.#isWanted = true;
    if (this.#isReading) {
      return;
    }
    this.#isReading = true;
    const { signal } = this.#closing;
    for (let failures = 0; this.#isWanted && !signal.aborted; ) {
      this.#isWanted = false;
      try {
        await this.#readPage(signal);
        failures = 0;
      } catch (thrown) {
        const error = toError(thrown);
        if (!mayPass(error)) {
          this.#fail(error);
          continue;
        }
        this.#isWanted = true;
        const { backoffBaseMs, backoffMaxMs } = this.#settings;
        const retryAfterMs = error instanceof HighwaterError ? error.retryAfterMs : 0;
        await sleep(retryAfterMs + backoffMs(failures, backoffBaseMs, backoffMaxMs), signal);
        failures += 1;
      }
    }
    this.#isReading = false;
  }

  async #readPage(signal: AbortSignal): Promise<void> {
    const { revision: before } = this.#snapshot;
    const page = await this.#pageFrom(before + 1, signal);
    // A reset, or the client's end, came first: it has asked for another page, or for none.
    if (this.#snapshot.revision < before || signal.aborted) {
      return;
    }
    let snapshot = this.#snapshot;
    for (const event of page.events) {
      if (event.revision > snapshot.revision + 1) {
        throw new MissingError(this.stream, snapshot.revision + 1, event.revision - 1);
      }
      // What came meanwhile is there already.
      snapshot = event.revision > snapshot.revision ? this.#fold(snapshot, event) : snapshot;
    }
    const { state, revision, version } = snapshot;
    this.#wanted = Math.max(this.#wanted, page.revision);
    const isAll = revision >= this.#wanted;
    if (isAll || revision > this.#snapshot.revision) {
      this.#change({ status: isAll ? 'current' : 'loading', state, revision, version });
    }
    if (!isAll && revision === before) {
      throw new Error(`revision ${this.#wanted} of ${this.stream} was announced, and is not there yet`);
    }
    this.#isWanted ||= !isAll;
  }

  async #pageFrom(revision: number, signal: AbortSignal): Promise<Page<Data>> {
    const read = (progress: Progress): Promise<string> => readStreamPage(this.#settings, this.stream, revision, this.#owner.epoch(), progress);
    try {
      const page = await whileHeard(this.#settings.connectTimeoutMs, signal, read);
      return JSON.parse(page) as Page<Data>;
    } catch (thrown) {
      if (thrown instanceof HighwaterError && thrown.code === 'unknown_stream') {
        return { events: [], revision: 0 };
      }
      throw thrown;
    }
  }

  /** The gate that the server has, too: an event about an older version moves nothing but the revision. */
  #fold(snapshot: Snapshot<State>, event: CloudEvent<Data>): Snapshot<State> {
    const { revision, version } = event;
    if (version < snapshot.version) {
      return { ...snapshot, revision };
    }
    try {
      return { ...snapshot, state: this.#options.reduce(snapshot.state, event), revision, version };
    } catch (thrown) {
      this.#owner.unreadable({ stream: this.stream, text: JSON.stringify(event), error: toError(thrown) });
      return { ...snapshot, revision, version };
    }
  }

  #change(snapshot: Snapshot<State>): void {
    this.#snapshot = Object.freeze(snapshot);
    tellAll(this.#listeners);
  }
}

/** Whether a read that failed like that may succeed later. The client looks after its own token. */
function mayPass(error: Error): boolean {
  const isFinal = error instanceof HighwaterError && !error.retryable && error.status !== 401;
  return !isFinal && !(error instanceof MissingError) && !(error instanceof SyntaxError);
}
