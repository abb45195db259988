/** `connect`: what users hold. It tells what the connection says, keeps the statistics and feeds the iterators. */

import { EventBuffer } from './buffer.js';
import { Connection } from './connection.js';
import { type Counts, Judge, Kind, type Record } from './judge.js';
import { tellAll } from './listeners.js';
import { type Settings, settings } from './settings.js';
import { type StoreOwner, StreamStore } from './store.js';
import { matches } from './topic.js';
import type { After, Client, CloudEvent, Listeners, Lost, Notice, Options, Reset, StateOptions, Stats, Status, StatusChange, Store, Told, Unreadable } from './types.js';

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

/** Who waits for a position. */
interface Waiting {
  readonly epoch: string;
  readonly sequence: number;
  resolve(): void;
  reject(error: Error): void;
}

class TopicsClient<Data> implements Client<Data> {
  readonly #settings: Settings;
  readonly #judge: Judge;
  readonly #connection: Connection;
  readonly #signal: AbortSignal | undefined;
  readonly #close = (): void => this.#connection.close();
  readonly #listeners = new Map<keyof Listeners, Set<(told: never) => void>>();
  readonly #iterators = new Set<EventBuffer<Told<Data>>>();
  readonly #stores = new Map<string, Set<StreamStore>>();
  #waiting: Waiting[] = [];
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
      heeded: () => this.#letGo(),
    });
    // Not before whoever called has had the chance to listen.
    queueMicrotask(() => {
      if (this.#last) {
        return; // Closed before it began.
      }
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

  state<State, Data>(stream: string, options: StateOptions<State, Data>): Store<State> {
    if (!this.#settings.topics.some((topic) => matches(topic, stream))) {
      throw new TypeError(`${stream} is not among the topics of this client`);
    }
    const owner: StoreOwner = {
      epoch: () => this.#judge.epoch,
      unreadable: (told) => this.#tellAll('unreadable', told),
      closed: () => {
        stores.delete(store as unknown as StreamStore);
        if (stores.size === 0 && this.#stores.get(stream) === stores) {
          this.#stores.delete(stream);
        }
        this.#demand('stale');
      },
    };
    const stores = this.#stores.get(stream) ?? new Set();
    const store = new StreamStore<State, Data>(stream, options, this.#settings, owner);
    if (this.#last) {
      store.end(this.#failure);
    } else {
      this.#stores.set(stream, stores.add(store as unknown as StreamStore));
      this.#demand('stale');
    }
    return store;
  }

  caughtUp(position: string): Promise<void> {
    const [, epoch = '', digits = ''] = /^([0-9a-z]{8})-(\d+)$/.exec(position) ?? [];
    if (digits === '') {
      throw new TypeError(`${position} is no position`);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ epoch, sequence: Number(digits), resolve, reject });
      this.#letGo();
    });
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
    this.#eachStore((store) => store.end(this.#failure));
    this.#letGo();
  }

  get #failure(): Error | undefined {
    return this.#status.status === 'failed' ? this.#status.error : undefined;
  }

  /** Lets go who waited for what is told by now. */
  #letGo(): void {
    if (this.#waiting.length === 0) {
      return;
    }
    const [epoch, digits] = this.cursor.split('-');
    const isReached = (waiting: Waiting): boolean => waiting.epoch === epoch && waiting.sequence <= Number(digits);
    const waiting = this.#waiting;
    this.#waiting = this.#last ? [] : waiting.filter((one) => !isReached(one));
    for (const one of waiting) {
      if (isReached(one)) {
        one.resolve();
      } else if (this.#last) {
        one.reject(this.#failure ?? new Error('the client was closed'));
      }
    }
  }

  /** Positions of another log than the one that this is a position of are never reached. */
  #giveUpOn(position: string): void {
    const [epoch] = position.split('-');
    const given = this.#waiting.filter((one) => one.epoch !== epoch);
    this.#waiting = this.#waiting.filter((one) => one.epoch === epoch);
    given.forEach((one) => one.reject(new Error(`the log that ${one.epoch}-${one.sequence} is of was replaced`)));
  }

  #eachStore(act: (store: StreamStore) => void): void {
    this.#stores.forEach((stores) => stores.forEach(act));
  }

  #toStores(event: CloudEvent): void {
    this.#stores.get(event.subject)?.forEach((store) => store.take(event));
  }

  #endIterator(iterator: EventBuffer<Told<Data>>): void {
    iterator.end(this.#failure);
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
      // A store counts revisions, also those that move nothing.
      const isForStores = kind === Kind.Stale && this.#stores.size > 0;
      this.#judge.listen(kind, isForStores || (this.#listeners.get(name)?.size ?? 0) > 0);
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
    if (change.status === 'live') {
      // What was recorded between what a store read and where this connection began is told by nobody.
      this.#eachStore((store) => void store.read());
    }
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
        this.#toStores(record.value as CloudEvent);
        return this.#tellAll('event', { event: record.value as CloudEvent<Data>, position });
      case Kind.Stale:
        if (!record.broken) {
          this.#toStores(record.value as CloudEvent);
        }
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
        this.#eachStore((store) => store.reset());
        this.#giveUpOn(position);
        return this.#tellAll('reset', { reason: record.value as Reset['reason'], position });
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
    tellAll(this.#listeners.get(name) ?? [], told as never);
  }
}

function notice<Data>({ position, value, broken }: Record): Notice<Data> {
  return broken ? { position } : { position, event: value as CloudEvent<Data> };
}

function unreadable({ value, broken }: Record): Pick<Unreadable, 'text' | 'error'> {
  return broken ?? { text: JSON.stringify(value), error: new TypeError('is no recorded event') };
}
