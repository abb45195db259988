/** The stores of a client, by their streams. */

import type { Fold, Prediction } from './fold.js';
import { type IntentRecord, newIntent } from './intent.js';
import type { Judge } from './judge.js';
import type { Outbox } from './outbox.js';
import type { Settings } from './settings.js';
import { type StoredState, StreamStore } from './store.js';
import type { CloudEvent, Dispatched, Unreadable } from './types.js';

/** What the stores need of their client. */
export interface StoresOwner {
  /** Who means to do what is dispatched. */
  readonly actor: string;
  dispatch(record: IntentRecord, error?: Error): Dispatched;
  stored(key: string): Promise<StoredState | undefined>;
  unreadable(told: Unreadable): void;
  /** There are other stores than before, or one of them has changed. */
  changed(): void;
}

export class Stores {
  readonly #settings: Settings;
  readonly #judge: Judge;
  readonly #outbox: Outbox;
  readonly #owner: StoresOwner;
  readonly #stores = new Map<string, Set<StreamStore>>();

  constructor(settings: Settings, judge: Judge, outbox: Outbox, owner: StoresOwner) {
    this.#settings = settings;
    this.#judge = judge;
    this.#outbox = outbox;
    this.#owner = owner;
  }

  open<State>(stream: string, fold: Fold<State>): StreamStore<State> {
    const owner = this.#owner;
    const store: StreamStore<State> = new StreamStore<State>(stream, fold, this.#settings, {
      epoch: () => this.#judge.epoch,
      stored: (key) => owner.stored(key),
      unreadable: (told) => owner.unreadable(told),
      arrived: (event, epoch) => this.#outbox.arrived(event, `${epoch}-${Number(event.sequence)}`),
      judged: (event) => this.#outbox.judged(event),
      intents: () => this.#outbox.shown(stream),
      intend: (intent, expected) => newIntent(stream, fold.entity, intent, owner.actor, expected),
      dispatch: (record, error) => owner.dispatch(record, error),
      moved: (prediction) => {
        this.#settle(stream, store as unknown as StreamStore, prediction);
        owner.changed();
      },
      closed: () => this.#remove(store as unknown as StreamStore),
    });
    this.#stores.set(stream, (this.#stores.get(stream) ?? new Set()).add(store as unknown as StreamStore));
    owner.changed();
    return store;
  }

  get isEmpty(): boolean {
    return this.#stores.size === 0;
  }

  take(event: CloudEvent): void {
    this.#of(event.subject).forEach((store) => store.take(event));
  }

  /** What is meant to be done with a stream has changed. */
  refresh(stream: string): void {
    this.#of(stream).forEach((store) => store.refresh());
  }

  /** Whether a state that shows is behind this revision of its stream. */
  isBehind(stream: string, revision: number): boolean {
    return this.#of(stream).some((store) => store.isBehind(revision));
  }

  /** Has those read it that are behind this revision. */
  want(stream: string, revision: number): void {
    this.#of(stream).forEach((store) => store.isBehind(revision) && store.want(revision));
  }

  /** What was recorded between what a store read and where a connection begins is told by nobody. */
  read(): void {
    this.#all().forEach((store) => void store.read());
  }

  reset(): void {
    this.#all().forEach((store) => store.reset());
  }

  end(error: Error | undefined): void {
    this.#all().forEach((store) => store.end(error));
  }

  /** What is to be stored of each. */
  storable(): StoredState[] {
    return this.#all().flatMap((store) => store.storable ?? []);
  }

  /** What waits for a state to come as far goes on. */
  #settle(stream: string, store: StreamStore, prediction: Prediction): void {
    this.#outbox.prune(stream);
    const conflict = this.#outbox.conflict(stream);
    if (conflict === undefined || !this.#mayRebase(store)) {
      return;
    }
    if (store.status === 'current' && store.revision >= conflict) {
      this.#outbox.rebase(stream, (ahead) => store.etag(ahead), prediction);
    } else {
      store.want(conflict);
    }
  }

  /** Commands are for those to judge that understand them, if there is one. */
  #mayRebase({ stream, fold }: StreamStore): boolean {
    return fold.entity !== undefined || !this.#of(stream).some((other) => other.fold.entity !== undefined);
  }

  #remove(store: StreamStore): void {
    const stores = this.#stores.get(store.stream);
    stores?.delete(store);
    if (stores?.size === 0) {
      this.#stores.delete(store.stream);
    }
    this.#outbox.prune(store.stream);
    this.#owner.changed();
  }

  #of(stream: string): StreamStore[] {
    return [...(this.#stores.get(stream) ?? [])];
  }

  #all(): StreamStore[] {
    return [...this.#stores.values()].flatMap((stores) => [...stores]);
  }
}
