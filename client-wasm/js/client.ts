/** `connect`: what users hold. It tells what the connection says, and puts stores, intents and the other tabs together with it. */

import { readTopic } from './adding.js';
import { Audience } from './audience.js';
import { Connection } from './connection.js';
import type { Device } from './device/device.js';
import { HighwaterError, toError } from './error.js';
import { type Deciders, type Fold, ReducerFold } from './fold.js';
import { type IntentRecord, newId } from './intent.js';
import { type Counts, Judge, Kind, PageKind, type Record } from './judge.js';
import { Outbox } from './outbox.js';
import { Positions } from './positions.js';
import { type Settings, settings } from './settings.js';
import type { StreamStore } from './store.js';
import { Stores } from './stores.js';
import { matches } from './topic.js';
import type { After, Client, CloudEvent, Command, Dispatched, EntityStore, Listeners, Lost, Notice, Options, Reset, StateOptions, Stats, Status, StatusChange, Store, Told, Unreadable } from './types.js';

/** Follows topics. What happened before a listener or iterator is added is not told to it; nothing happens before the next task. */
export function connect<Data = unknown>(options: Options): Client<Data> {
  return new TopicsClient<Data>(settings(options), options.signal);
}

/** Kinds of events that are told only where somebody wants them. */
const ON_DEMAND = { stale: Kind.Stale, duplicate: Kind.Duplicate, gap: Kind.Gap } as const;

class TopicsClient<Data> implements Client<Data> {
  readonly #settings: Settings;
  readonly #judge: Judge;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #stores: Stores;
  readonly #audience: Audience<Data>;
  readonly #positions = new Positions();
  readonly #signal: AbortSignal | undefined;
  readonly #close = (): void => this.#connection.close();
  /** Aborts when it is over. */
  readonly #over = new AbortController();
  /** Resolves when the tabs of the same name are found, or there are none. */
  readonly #joined: Promise<void>;
  #device: Device | undefined;
  /** Those of the settings' domain, once they are needed. */
  #deciders: Deciders | undefined;
  #actor: string;
  #status: StatusChange = { status: 'connecting' };
  #reconnects = 0;
  /** Whether it is known of which log positions are. */
  #isPlaced = false;
  /** Events that were applied by their header, and whose data is broken. */
  #brokenData = 0;
  /** What the judge said last, once it is over. */
  #last: { counts: Counts; cursor: After } | undefined;

  constructor(settings: Settings, signal: AbortSignal | undefined) {
    this.#settings = settings;
    this.#signal = signal;
    this.#actor = settings.actor ?? `device:${newId()}`;
    this.#judge = new Judge(settings);
    this.#audience = new Audience(
      () => this.#demand(),
      () => {
        this.#connection.madeRoom();
        this.#device?.madeRoom();
      },
    );
    this.#connection = new Connection(settings, this.#judge, {
      tell: (record) => this.#tell(record),
      status: (change) => this.#changeStatus(change),
      hasRoom: (share) => this.#hasRoom(share),
      heeded: () => this.#heeded(),
    });
    this.#outbox = new Outbox(settings, this.#judge, {
      changed: (stream) => this.#stores.refresh(stream),
      refused: (told) => this.#audience.emit('refused', told),
      answered: (answer) => this.#device?.answered(answer),
      rebased: (rebase) => (this.#device ? this.#device.rebased(rebase) : this.#outbox.rebased(rebase)),
      leads: () => this.#device?.leads() ?? true,
      refuses: (answers) => this.#device?.refuses(answers) ?? true,
      stored: (record) => this.#device?.stored(record),
      settled: (record, error) => this.#device?.settled(record, error),
      isBehind: (stream, revision) => this.#stores.isBehind(stream, revision),
      isShown: (stream) => this.#stores.isShown(stream),
      want: (stream, revision) => this.#stores.want(stream, revision),
    });
    const client = this;
    this.#stores = new Stores(settings, this.#judge, this.#outbox, {
      get actor() {
        return client.#actor;
      },
      dispatch: (record, error) => this.#dispatch(record, error),
      stored: (key) => this.#joined.then(() => this.#device?.stateOf(key)),
      unreadable: (told) => this.#audience.tellAll('unreadable', told),
      changed: () => {
        this.#demand();
        this.#device?.changed();
      },
    });
    // Not before whoever called has had the chance to listen.
    this.#joined = Promise.resolve().then(() => this.#begin());
  }

  on<Name extends keyof Listeners>(name: Name, listener: (told: Listeners<Data>[Name]) => void): () => void {
    return this.#audience.on(name, listener);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Told<Data>, undefined> {
    const iterator = this.#audience.iterate();
    if (this.#last) {
      this.#audience.end(this.#failure);
    }
    return iterator;
  }

  state<State, Data>(stream: string, options: StateOptions<State, Data>): Store<State> {
    return this.#open(stream, () => new ReducerFold(stream, options));
  }

  entity<State, Given extends Command>(entity: string, stream: string): EntityStore<State, Given> {
    this.#deciders ??= this.#settings.domain?.start({
      refusal: (status, problem) => new HighwaterError(status, problem),
      open: (entity, stream) => {
        const store = this.#follows(stream) && this.entity(entity, stream);
        return store ? () => store.close() : undefined;
      },
      refresh: (stream) => this.#stores.refresh(stream),
    });
    const deciders = this.#deciders;
    if (!deciders) {
      throw new TypeError("connect was given no domain: import { domain } from 'highwater/domain'");
    }
    return this.#open(stream, () => deciders.fold(entity, stream)) as unknown as EntityStore<State, Given>;
  }

  async add(topic: string, options: { readonly after?: 'earliest' | 'latest' } = {}): Promise<void> {
    const after = options.after ?? (this.#settings.after === 'earliest' ? 'earliest' : 'latest');
    await this.#joined;
    const take = (kind: PageKind) => (page: string) => this.#connection.page(page, kind);
    const read = (from: string, tell: (page: string) => void): Promise<string> => readTopic(this.#settings, topic, from, this.#over.signal, tell);
    // One that the server refuses would end the others: under `latest`, too, it is asked about alone first.
    const position = await read(after, after === 'earliest' ? take(PageKind.Added) : () => {});
    this.#follow([...this.topics.filter((one) => one !== topic), topic]);
    if (this.cursor === 'latest') {
      await this.caughtUp(position); // Until it has begun, nobody knows what it begins after.
    }
    // The cursor that they go on from may be behind that already.
    await read(position, take(PageKind.AddedSince));
  }

  remove(topic: string): void {
    const left = this.topics.filter((one) => one !== topic);
    if (!this.#last && left.length > 0 && left.length < this.topics.length) {
      this.#follow(left);
    }
  }

  async caughtUp(position: string): Promise<void> {
    const reached = this.#positions.wait(position);
    this.#positions.reached(this.cursor);
    if (this.#last) {
      this.#positions.close(this.#reason);
    }
    return reached;
  }

  get status(): Status {
    return this.#status.status;
  }

  get statusChange(): StatusChange {
    return this.#status;
  }

  get role(): 'alone' | 'leader' | 'follower' {
    return this.#device?.role ?? 'alone';
  }

  get topics(): readonly string[] {
    return this.#connection.topics;
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

  async #begin(): Promise<void> {
    if (this.#signal?.aborted) {
      this.close();
    }
    this.#signal?.addEventListener('abort', this.#close, { signal: this.#over.signal });
    if (this.#settings.name !== undefined && !this.#last) {
      await this.#join(this.#settings.name);
    }
    if (!this.#device && !this.#last) {
      this.#outbox.begin();
      this.#connection.open();
    }
  }

  /** Finds the other tabs, and what is stored. Where that can't be, it is told, and this client is alone. */
  async #join(name: string): Promise<void> {
    const client = this;
    try {
      const { join } = await import('./device/join.js');
      const device = await join(name, this.#over.signal, {
        settings: this.#settings,
        judge: this.#judge,
        connection: this.#connection,
        outbox: this.#outbox,
        stores: this.#stores,
        get status() {
          return client.#status;
        },
        changeStatus: (change) => this.#changeStatus(change),
        hasRoom: (share) => this.#hasRoom(share),
        storageFailed: (error) => this.#audience.emit('storage', { error }),
      });
      this.#actor = this.#settings.actor ?? device?.actor ?? this.#actor;
      if (this.#last) {
        return device?.close();
      }
      this.#device = device;
      device?.start();
    } catch (thrown) {
      this.#audience.emit('storage', { error: toError(thrown) });
    }
  }

  #open<State>(stream: string, fold: () => Fold<State>): StreamStore<State> {
    if (!this.#follows(stream)) {
      throw new TypeError(`${stream} is not among the topics of this client`);
    }
    const store = this.#stores.open(stream, fold());
    if (this.#last) {
      store.end(this.#failure);
    }
    return store;
  }

  #follows(stream: string): boolean {
    return this.topics.some((topic) => matches(topic, stream));
  }

  #follow(topics: readonly string[]): void {
    this.#over.signal.throwIfAborted();
    this.#connection.topics = topics;
    if (this.#device) {
      this.#device.topicsChanged();
    } else {
      this.#connection.restart();
    }
  }

  #dispatch(record: IntentRecord, error?: Error): Dispatched {
    const { id, stream, intent } = record;
    const failure = error ?? (this.#last ? this.#reason : undefined);
    const dispatched = failure ? undefined : this.#outbox.add(record);
    if (dispatched) {
      this.#demand();
      void this.#joined.then(() => {
        record.actor = this.#actor; // Which is the device's, once that is found.
        void (this.#device ? this.#device.dispatched(record) : this.#outbox.enqueue(id));
      });
      return dispatched;
    }
    const refusal = failure ?? new RangeError(`${this.#settings.intentsMax} intents are waiting already`);
    const rejected = Promise.reject(refusal);
    rejected.catch(() => {});
    this.#audience.emit('refused', { id, stream, intent, error: refusal });
    return { id, acknowledged: rejected, confirmed: rejected };
  }

  #hasRoom(share = 1): boolean {
    return this.#audience.hasRoom(this.#settings.bufferEventsMax * share);
  }

  #heeded(): void {
    if (!this.#isPlaced && this.#judge.cursor !== undefined) {
      this.#isPlaced = true;
      this.#outbox.placed();
      this.#device?.replaced();
    }
    this.#positions.reached(this.cursor);
    this.#device?.changed();
  }

  #changeStatus(change: StatusChange): void {
    if (this.#last) {
      return;
    }
    if (change.status === 'connecting' && this.#status.status === 'backing_off') {
      this.#reconnects += 1;
    }
    const isOver = change.status === 'closed' || change.status === 'failed';
    if (isOver) {
      this.#last = { counts: this.#judge.counts(), cursor: this.cursor };
    }
    this.#status = change;
    if (change.status === 'live') {
      this.#stores.read();
    }
    this.#audience.emit('status', change);
    this.#device?.statusChanged();
    if (isOver) {
      this.#connection.close();
      this.#over.abort(this.#reason);
      this.#audience.end(this.#failure);
      this.#stores.end(this.#failure);
      this.#device?.close();
      this.#outbox.end(this.#reason);
      this.#positions.close(this.#reason);
    }
  }

  get #failure(): Error | undefined {
    return this.#status.status === 'failed' ? this.#status.error : undefined;
  }

  /** Why nothing more comes. */
  get #reason(): Error {
    return this.#failure ?? new Error('the client was closed');
  }

  /** Says what is to be told: besides what listeners ask for, what stores count and what may settle an intent. */
  #demand(): void {
    for (const [name, kind] of Object.entries(ON_DEMAND) as [keyof typeof ON_DEMAND, Kind][]) {
      const isForStores = kind === Kind.Stale && !this.#stores.isEmpty;
      const isForIntents = kind !== Kind.Gap && this.#outbox.size > 0;
      if (!this.#last) {
        this.#judge.listen(kind, isForStores || isForIntents || this.#audience.isListening(name));
      }
    }
  }

  #tell(record: Record): void {
    const { kind, position } = record;
    switch (kind) {
      case Kind.Apply:
        if (record.broken) {
          this.#brokenData += 1;
          const stream = this.#judge.streamOf(record.broken.text);
          return this.#audience.tellAll('unreadable', { position, ...unreadable(record), ...(stream === undefined ? {} : { stream }) });
        }
        this.#judged(record);
        return this.#audience.tellAll('event', { event: record.value as CloudEvent<Data>, position });
      case Kind.Stale:
        this.#judged(record);
        return this.#audience.emit('stale', notice(record));
      case Kind.Duplicate:
        this.#judged(record);
        return this.#audience.emit('duplicate', notice(record));
      case Kind.Gap:
        return this.#audience.emit('gap', notice(record));
      case Kind.Unreadable:
        return this.#audience.tellAll('unreadable', { position, ...unreadable(record) });
      case Kind.Unplaced:
        return this.#audience.tellAll('unreadable', unreadable(record));
      case Kind.Reset:
        // Whoever hears of it must not be given the old state's events after it.
        this.#audience.clear();
        this.#outbox.reset();
        this.#device?.replaced();
        this.#stores.reset();
        this.#positions.replaced(position);
        return this.#audience.tellAll('reset', { reason: record.value as Reset['reason'], position });
      case Kind.Lost:
        return this.#audience.tellAll('lost', record.value as Lost);
      case Kind.Settled:
        return this.#outbox.settle([record]);
    }
  }

  /** Hands an event to those whose state it moves, and whose intent it was: the prediction goes in the change that brings it. */
  #judged({ kind, value, broken, position }: Record): void {
    if (!broken) {
      const event = value as CloudEvent;
      this.#outbox.arrived(event, position);
      if (kind !== Kind.Duplicate) {
        this.#stores.take(event);
      }
      this.#outbox.judged(event);
    }
  }
}

function notice<Data>({ position, value, broken }: Record): Notice<Data> {
  return broken ? { position } : { position, event: value as CloudEvent<Data> };
}

function unreadable({ value, broken }: Record): Pick<Unreadable, 'text' | 'error'> {
  return broken ?? { text: JSON.stringify(value), error: new TypeError('is no recorded event') };
}
