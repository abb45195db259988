/** `connect`: what users hold. It tells what the connection says, keeps the statistics and feeds the iterators. */

import { EventBuffer } from './buffer.js';
import { Connection } from './connection.js';
import { type Counts, Judge, Kind, type Record } from './judge.js';
import { type Settings, settings } from './settings.js';
import type { After, Client, CloudEvent, Listeners, Lost, Notice, Options, Reset, Stats, Status, StatusChange, Told, Unreadable } from './types.js';

/** Follows topics. What happened before a listener or iterator is added is not told to it; nothing happens before the next task. */
export function connect<Data = unknown>(options: Options): Client<Data> {
  return new TopicsClient<Data>(settings(options), options.signal);
}

/** What can be listened for. Those with a kind are told only while somebody does. */
const NAMES: { readonly [name in keyof Listeners]: Kind | undefined } = {
  event: undefined,
  stale: Kind.Stale,
  duplicate: Kind.Duplicate,
  gap: Kind.Gap,
  unreadable: undefined,
  lost: undefined,
  reset: undefined,
  status: undefined,
};

class TopicsClient<Data> implements Client<Data> {
  readonly #settings: Settings;
  readonly #judge: Judge;
  readonly #connection: Connection;
  readonly #signal: AbortSignal | undefined;
  readonly #close = (): void => this.#connection.close();
  readonly #listeners = new Map<keyof Listeners, Set<(told: never) => void>>();
  readonly #iterators = new Set<EventBuffer<Told<Data>>>();
  #status: StatusChange = { status: 'connecting' };
  #reconnects = 0;
  /** Events that were applied by their header, and whose data is broken. */
  #brokenData = 0;
  /** What the judge said last, once it is over. */
  #last: { counts: Counts; cursor: After } | undefined;

  constructor(settings: Settings, signal: AbortSignal | undefined) {
    this.#settings = settings;
    this.#signal = signal;
    this.#judge = new Judge(settings);
    this.#connection = new Connection(settings, this.#judge, {
      tell: (record) => this.#tell(record),
      status: (change) => this.#changeStatus(change),
      hasRoom: () => this.#hasRoom(),
    });
    // Not before whoever called has had the chance to listen.
    queueMicrotask(() => {
      if (signal?.aborted) {
        this.close();
      } else {
        signal?.addEventListener('abort', this.#close);
        this.#connection.open();
      }
    });
  }

  on<Name extends keyof Listeners>(name: Name, listener: (told: Listeners<Data>[Name]) => void): () => void {
    if (!Object.hasOwn(NAMES, name)) {
      throw new TypeError(`there is no '${name}' to listen for, only ${Object.keys(NAMES).join(', ')}`);
    }
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // A function of its own each time: the same listener twice is two.
    const called = (told: never): void => listener(told);
    listeners.add(called);
    this.#demand(name);
    return () => {
      listeners.delete(called);
      this.#demand(name);
    };
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Told<Data>, undefined> {
    const iterator = new EventBuffer<Told<Data>>(
      () => this.#connection.madeRoom(),
      (returned) => {
        this.#iterators.delete(returned);
        this.#connection.madeRoom();
      },
    );
    if (this.#last) {
      this.#endIterator(iterator);
    } else {
      this.#iterators.add(iterator);
    }
    return iterator;
  }

  get status(): Status {
    return this.#status.status;
  }

  get cursor(): After {
    return this.#last?.cursor ?? this.#judge.cursor ?? this.#settings.after;
  }

  stats(): Stats {
    const counts = this.#last?.counts ?? this.#judge.counts();
    return {
      ...counts,
      status: this.status,
      cursor: this.cursor,
      applied: counts.applied - this.#brokenData,
      unreadable: counts.unreadable + this.#brokenData,
      reconnects: this.#reconnects,
    };
  }

  close(): void {
    this.#close();
  }

  #finish(change: StatusChange): void {
    this.#last = { counts: this.#judge.counts(), cursor: this.cursor };
    this.#signal?.removeEventListener('abort', this.#close);
    this.#setStatus(change);
    for (const iterator of this.#iterators) {
      this.#endIterator(iterator);
    }
    this.#iterators.clear();
  }

  #endIterator(iterator: EventBuffer<Told<Data>>): void {
    iterator.end(this.#status.status === 'failed' ? this.#status.error : undefined);
  }

  #hasRoom(): boolean {
    for (const iterator of this.#iterators) {
      if (iterator.length >= this.#settings.bufferEventsMax) {
        return false;
      }
    }
    return true;
  }

  #demand(name: keyof Listeners): void {
    const kind = NAMES[name];
    if (kind !== undefined && !this.#last) {
      this.#judge.listen(kind, (this.#listeners.get(name)?.size ?? 0) > 0);
    }
  }

  #changeStatus(change: StatusChange): void {
    if (change.status === 'closed' || change.status === 'failed') {
      this.#finish(change);
    } else {
      this.#setStatus(change);
    }
  }

  #setStatus(change: StatusChange): void {
    if (change.status === 'connecting' && this.#status.status === 'backing_off') {
      this.#reconnects += 1;
    }
    this.#status = change;
    this.#emit('status', change);
  }

  #tell(record: Record): void {
    const { kind, position } = record;
    switch (kind) {
      case Kind.Apply:
        if (record.broken) {
          this.#brokenData += 1;
          const stream = this.#judge.streamOf(record.broken.text);
          return this.#tellAll('unreadable', { position, ...unreadable(record), ...(stream === undefined ? {} : { stream }) });
        }
        return this.#tellAll('event', { event: record.value as CloudEvent<Data>, position });
      case Kind.Stale:
        return this.#emit('stale', notice(record));
      case Kind.Duplicate:
        return this.#emit('duplicate', notice(record));
      case Kind.Gap:
        return this.#emit('gap', notice(record));
      case Kind.Unreadable:
        return this.#tellAll('unreadable', { position, ...unreadable(record) });
      case Kind.Unplaced:
        return this.#tellAll('unreadable', unreadable(record));
      case Kind.Reset:
        // Whoever hears of it must not be given the old state's events after it.
        this.#iterators.forEach((iterator) => iterator.clear());
        return this.#tellAll('reset', { reason: (record.value as Reset).reason, position });
      case Kind.Lost:
        return this.#tellAll('lost', record.value as Lost);
    }
  }

  /** Tells listeners and iterators. */
  #tellAll<Name extends Told['kind']>(kind: Name, told: Listeners<Data>[Name]): void {
    this.#emit(kind, told);
    for (const iterator of this.#iterators) {
      iterator.push({ kind, ...told } as unknown as Told<Data>);
    }
  }

  #emit<Name extends keyof Listeners>(name: Name, told: Listeners<Data>[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        listener(told as never);
      } catch (thrown) {
        report(thrown);
      }
    }
  }
}

function notice<Data>({ position, value, broken }: Record): Notice<Data> {
  return broken ? { position } : { position, event: value as CloudEvent<Data> };
}

function unreadable({ value, broken }: Record): Pick<Unreadable, 'text' | 'error'> {
  return broken ?? { text: JSON.stringify(value), error: new TypeError('is no recorded event') };
}

/** A listener's error is its owner's: it shows up like any that nobody caught, and nothing of ours stops. */
function report(thrown: unknown): void {
  if (typeof globalThis.reportError === 'function') {
    globalThis.reportError(thrown);
  } else {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}
