/**
 * A stream's state, folded from its events: from its first one on, and then as they come. A store believes nobody that it has seen
 * everything: an event that does not follow the last one makes it read the stream from there.
 */

import { HighwaterError, toError } from './error.js';
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
  /** Set while the stream is being read, and whether all of it has to be read anew meanwhile. */
  #reading: { anew: boolean } | undefined;

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
      this.#change({ ...this.#snapshot, status: 'failed', error });
    }
  }

  /** An event of the stream was judged, whatever the verdict. */
  take(event: CloudEvent<Data>): void {
    const { revision } = this.#snapshot;
    this.#wanted = Math.max(this.#wanted, event.revision);
    if (event.revision === revision + 1) {
      this.#change(this.#fold(this.#snapshot, event));
    } else if (event.revision > revision) {
      void this.read();
    }
  }

  /** The log is another one. */
  reset(): void {
    this.#wanted = 0;
    this.#change({ status: 'loading', state: this.#options.initial, revision: 0, version: 0 });
    if (this.#reading) {
      this.#reading.anew = true;
    } else {
      void this.read();
    }
  }

  /** Reads what comes after the last event folded, until there is no more. */
  async read(): Promise<void> {
    if (this.#reading) {
      return;
    }
    const { signal } = this.#closing;
    for (let failures = 0; !signal.aborted; ) {
      const reading = { anew: false };
      this.#reading = reading;
      try {
        const isAll = await this.#readPage(reading, signal);
        failures = 0;
        if (isAll && !reading.anew && this.#snapshot.revision >= this.#wanted) {
          break;
        }
      } catch (thrown) {
        const error = toError(thrown);
        if (error instanceof HighwaterError && !error.retryable && error.status !== 401) {
          this.#change({ ...this.#snapshot, status: 'failed', error });
          break;
        }
        const { backoffBaseMs, backoffMaxMs } = this.#settings;
        const retryAfterMs = error instanceof HighwaterError ? error.retryAfterMs : 0;
        await sleep(retryAfterMs + backoffMs(failures, backoffBaseMs, backoffMaxMs), signal);
        failures += 1;
      }
    }
    this.#reading = undefined;
  }

  /** Answers whether that was all there is. */
  async #readPage(reading: { anew: boolean }, signal: AbortSignal): Promise<boolean> {
    const from = this.#snapshot.revision + 1;
    const { events, revision } = await this.#pageFrom(from, signal);
    if (reading.anew || signal.aborted) {
      return false;
    }
    let snapshot = this.#snapshot;
    for (const event of events) {
      // What came meanwhile is there already.
      snapshot = event.revision > snapshot.revision ? this.#fold(snapshot, event) : snapshot;
    }
    const isAll = events.length === 0 || snapshot.revision >= revision;
    const status = isAll ? 'current' : snapshot.status;
    if (snapshot !== this.#snapshot || status !== snapshot.status) {
      this.#change({ ...snapshot, status });
    }
    // What was announced and is not there is not waited for in a loop: its event will come again.
    this.#wanted = events.length === 0 ? snapshot.revision : this.#wanted;
    return isAll;
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
