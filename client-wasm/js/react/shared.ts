/**
 * What components share. React may render what it never shows, mount twice, and come back later to what it has set aside; so a store is
 * looked up whenever it is needed, opened by the first who does, and closed once nobody has for a while: it is always used by a component
 * that is mounted, awaited by one that suspends, or about to be closed.
 */

import type { Client, Dispatched, Intent, Snapshot, StateOptions, Store } from '../types.js';

/** A stream's state, and how to change it. The same object until something changes. */
export interface StreamSnapshot<State> extends Snapshot<State> {
  /** Appends a user's intent, which shows at once. Needs no `this`. */
  readonly dispatch: (intent: Intent) => Dispatched;
}

/** How long a store that nobody uses stays: long enough for React to come back to it, and for users who do. */
const IDLE_MS = 30_000;
/** The same where it has failed: what is rendered after that tries anew. React itself does so once, at once, and is to see the same again. */
const IDLE_FAILED_MS = 1_000;
/** So many ways to reduce one stream can't be meant. */
const REDUCERS_MAX = 32;

type Stores = Map<unknown, SharedStore<never>>;

/** By client and stream; then by their `key`, or by their reducer where they have none. */
const clients = new WeakMap<Client, Map<string, Stores>>();

/** What a store is of. */
interface Source<State> {
  readonly stream: string;
  /** What its stores are kept under: those of entities apart, as they take commands. */
  readonly kept: string;
  /** Which of them it is. */
  readonly identity: unknown;
  readonly initial: State;
  open(client: Client): Store<State>;
}

/** A stream that is reduced. */
export function ofStream<State, Data>(stream: string, options: StateOptions<State, Data>): Source<State> {
  const { initial, key, reduce } = options;
  return { stream, kept: stream, identity: key ?? reduce, initial, open: (client) => client.state(stream, options) };
}

/** A stream of an entity, whose state is not known before there is one. */
export function ofEntity(entity: string, stream: string): Source<unknown> {
  const open = (client: Client): Store<unknown> => client.entity(entity, stream) as Store<unknown>;
  return { stream, kept: `entity ${stream}`, identity: entity, initial: undefined, open };
}

/** Says where a component's store is. It is opened only where something of it is asked for that a server does not. */
export class SharedStream<State> {
  readonly #client: () => Client;
  readonly #source: Source<State>;
  #initial: StreamSnapshot<State> | undefined;

  constructor(client: () => Client, source: Source<State>) {
    this.#client = client;
    this.#source = source;
  }

  // Given away as they are, as React wants them.
  readonly subscribe = (changed: () => void): (() => void) => this.#store().subscribe(changed);
  readonly getSnapshot = (): StreamSnapshot<State> => this.#store().snapshot();

  readonly getServerSnapshot = (): StreamSnapshot<State> => {
    const { initial, stream } = this.#source;
    const dispatched = (intent: Intent): Dispatched => dispatch(this.#client(), stream, intent);
    this.#initial ??= { status: 'loading', state: initial, confirmed: initial, intents: [], revision: 0, version: 0, dispatch: dispatched };
    return this.#initial;
  };

  /** Pending until there is something to show; rejected where nothing can be shown. */
  loaded(): Loaded {
    return this.#store().loaded();
  }

  #store(): SharedStore<State> {
    const client = this.#client();
    const streams = clients.get(client) ?? new Map<string, Stores>();
    const { stream, kept, identity } = this.#source;
    const stores: Stores = streams.get(kept) ?? new Map<unknown, SharedStore<never>>();
    const found = stores.get(identity) as SharedStore<State> | undefined;
    if (found) {
      return found;
    }
    if (stores.size === REDUCERS_MAX) {
      throw new Error(`${stream} is reduced by ever another function: define \`reduce\` outside of the component, or give a \`key\``);
    }
    const store = new SharedStore(client, this.#source.open(client), () => {
      stores.delete(identity);
      if (stores.size === 0) {
        streams.delete(kept);
      }
    });
    clients.set(client, streams.set(kept, stores.set(identity, store as SharedStore<never>)));
    return store;
  }
}

/** Dispatches by a store that is there; where there is none, by one that lives no longer than that, and so reads nothing. */
export function dispatch(client: Client, stream: string, intent: Intent): Dispatched {
  const [shown] = clients.get(client)?.get(stream)?.values() ?? [];
  if (shown) {
    return shown.snapshot().dispatch(intent);
  }
  if (intent.isConditional) {
    throw new TypeError(`a conditional intent is meant for the state that shows, and no component shows ${stream}`);
  }
  const store = client.state(stream, { initial: undefined, reduce: (state) => state });
  try {
    return store.dispatch(intent);
  } finally {
    store.close();
  }
}

class SharedStore<State> {
  readonly #client: Client;
  readonly #store: Store<State>;
  readonly #forget: () => void;
  readonly #unsubscribe: () => void;
  #seen: Snapshot<State> | undefined;
  #snapshot: StreamSnapshot<State> | undefined;
  #loaded: Loaded = pending();
  /** Whether somebody may wait for that, whom nobody sees. */
  #isAwaited = false;
  #users = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client, store: Store<State>, forget: () => void) {
    this.#client = client;
    this.#store = store;
    this.#forget = forget;
    this.#unsubscribe = client.on('status', () => this.#heed());
    store.subscribe(() => this.#heed());
    this.#heed();
  }

  subscribe(changed: () => void): () => void {
    this.#users += 1;
    this.#rest();
    const unsubscribe = this.#store.subscribe(changed);
    return () => {
      unsubscribe();
      this.#users -= 1;
      this.#rest();
    };
  }

  snapshot(): StreamSnapshot<State> {
    const snapshot = this.#store.getSnapshot();
    if (!this.#snapshot || snapshot !== this.#seen) {
      this.#seen = snapshot;
      this.#snapshot = Object.freeze({ ...snapshot, dispatch: this.#store.dispatch });
    }
    this.#rest();
    return this.#snapshot;
  }

  loaded(): Loaded {
    this.#isAwaited = this.#loaded.status === 'pending';
    this.#rest();
    return this.#loaded;
  }

  #heed(): void {
    const { status, revision, error } = this.#store.getSnapshot();
    if (status === 'failed') {
      this.#settle('rejected', error);
    } else if (status !== 'loading') {
      this.#settle('fulfilled');
    } else if (this.#client.status === 'closed') {
      this.#settle('rejected', new Error(`the client was closed before it had read ${this.#store.stream}`));
    } else if (revision === 0) {
      // The log is another one. Else it catches up, and what it had is shown.
      this.#loaded = this.#loaded.status === 'pending' ? this.#loaded : pending();
    }
  }

  #settle(status: 'fulfilled' | 'rejected', reason?: Error): void {
    if (this.#loaded.status !== 'pending') {
      this.#loaded = pending();
    }
    this.#loaded.settle(status, reason);
    this.#isAwaited = false;
    this.#rest();
  }

  /** Begins to wait for the next who uses it, unless somebody does. */
  #rest(): void {
    clearTimeout(this.#idle);
    if (this.#users > 0 || this.#isAwaited) {
      return;
    }
    this.#idle = setTimeout(() => this.#close(), this.#loaded.status === 'rejected' ? IDLE_FAILED_MS : IDLE_MS);
    // No process lives on for that.
    (this.#idle as { unref?(): void }).unref?.();
  }

  #close(): void {
    this.#forget();
    this.#unsubscribe();
    this.#store.close();
  }
}

/** A promise that says how it stands, as React's `use` reads it: what is settled already shows at once. */
export interface Loaded extends Promise<void> {
  status: 'pending' | 'fulfilled' | 'rejected';
  value?: undefined;
  reason?: Error | undefined;
  settle(status: 'fulfilled' | 'rejected', reason?: Error): void;
}

function pending(): Loaded {
  let settle: Loaded['settle'] = () => {};
  const promise = new Promise<void>((resolve, reject) => {
    settle = (status, reason) => {
      Object.assign(promise, { status, reason });
      if (status === 'fulfilled') {
        resolve();
      } else {
        reject(reason);
      }
    };
  }) as Loaded;
  // Whoever renders is told.
  promise.catch(() => {});
  return Object.assign(promise, { status: 'pending' as const, settle });
}
