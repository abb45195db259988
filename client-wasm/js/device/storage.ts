/** What a device keeps in IndexedDB: its actor, its term, and cursors, states and intents. */

import { toError } from '../error.js';
import { type IntentRecord, newId } from '../intent.js';
import type { StoredState } from '../store.js';
import { sleep } from '../timing.js';

const VERSION = 1;
const STORES = ['meta', 'states', 'intents'] as const;
type Name = (typeof STORES)[number];

/** What was there when a tab came. */
export interface Kept {
  readonly actor: string;
  readonly cursor: string | undefined;
  readonly intents: IntentRecord[];
}

/** A database that takes longer to open never will. */
const OPEN_MS_MAX = 5_000;
/** So long a transaction may take: it waits for those of other tabs, and one that hangs never ends its own. */
const TRANSACTION_MS_MAX = 2_000;

/**
 * One database. No method ever rejects: where the database fails, that is told once, and it begins anew, empty; where that fails
 * too, nothing is stored any more.
 */
export class Storage {
  readonly #name: string;
  readonly #failed: (error: Error) => void;
  #opening: Promise<IDBDatabase | undefined>;
  #isOver = false;
  /** In a row. */
  #failures = 0;
  /** What is under way, and how it is given up. */
  readonly #underWay = new Set<() => void>();
  /** States that can't be stored, by key: told once each. */
  readonly #unstorable = new Set<string>();
  /** Called when it has begun anew, empty. */
  renewed: () => void = () => {};

  constructor(name: string, failed: (error: Error) => void) {
    this.#name = name;
    this.#failed = failed;
    this.#opening = this.#open().catch((thrown: unknown) => {
      failed(toError(thrown));
      return this.#renew();
    });
  }

  /** What there is for a tab of these topics; `undefined` where nothing can be stored. */
  async read(topics: string): Promise<Kept | undefined> {
    const over = new AbortController();
    const late = sleep(OPEN_MS_MAX, over.signal).then(() => over.signal.aborted || this.#failed(new Error(`the database ${this.#name} does not open`)));
    const kept = this.#do('readwrite', STORES, async (store) => {
      const actor = ((await done(store('meta').get('actor'))) as string | undefined) ?? `device:${newId()}`;
      store('meta').put(actor, 'actor');
      const cursor = (await done(store('meta').get(`cursor ${topics}`))) as string | undefined;
      return { actor, cursor, intents: (await done(store('intents').getAll())) as IntentRecord[] };
    });
    const first = await Promise.race([kept, late.then(() => undefined)]);
    over.abort();
    return first;
  }

  /** Begins a new reign, above all before it, and above `known`; answers its term. */
  async reign(known: number): Promise<number> {
    const term = await this.#do('readwrite', ['meta'], async (store) => {
      const term = Math.max(((await done(store('meta').get('term'))) as number | undefined) ?? 0, known) + 1;
      store('meta').put(term, 'term');
      return term;
    });
    return term ?? known + 1;
  }

  async stateOf(key: string): Promise<StoredState | undefined> {
    return this.#do('readonly', ['states'], (store) => done(store('states').get(key)) as Promise<StoredState | undefined>);
  }

  /** Stores cursor and states together; `false` where a reign above the one that this tab knows of has begun. */
  async commit(known: number, topics: string, cursor: string, states: readonly StoredState[]): Promise<boolean> {
    const isStored = await this.#do('readwrite', ['meta', 'states'], async (store) => {
      const term = (await done(store('meta').get('term'))) as number | undefined;
      if (term !== undefined && term > known) {
        return false;
      }
      const before = (await done(store('meta').get(`cursor ${topics}`))) as string | undefined;
      if (!isBehind(cursor, before)) {
        store('meta').put(cursor, `cursor ${topics}`);
      }
      for (const state of states) {
        const stored = (await done(store('states').get(state.key))) as StoredState | undefined;
        if (stored?.epoch !== state.epoch || stored.confirmed.revision < state.confirmed.revision) {
          this.#put(store('states'), state);
        }
      }
      return true;
    });
    return isStored ?? false;
  }

  async intents(): Promise<IntentRecord[]> {
    return (await this.#do('readonly', ['intents'], (store) => done(store('intents').getAll()) as Promise<IntentRecord[]>)) ?? [];
  }

  async putIntent(record: IntentRecord): Promise<void> {
    await this.#do('readwrite', ['intents'], async (store) => void store('intents').put(record));
  }

  async deleteIntent(id: string): Promise<void> {
    await this.#do('readwrite', ['intents'], async (store) => void store('intents').delete(id));
  }

  /** Gives up what is under way: in a page that is frozen it would stay so, and keep all other tabs waiting. */
  giveUp(): void {
    this.#underWay.forEach((giveUp) => giveUp());
  }

  close(): void {
    this.#isOver = true;
    void this.#opening.then((database) => database?.close());
  }

  /** Runs a transaction; `undefined` where it failed, or was given up. */
  async #do<Result>(mode: IDBTransactionMode, names: readonly Name[], run: (store: (name: Name) => IDBObjectStore) => Promise<Result>): Promise<Result | undefined> {
    const database = await this.#opening;
    if (!database || this.#isOver) {
      return undefined;
    }
    let isGivenUp = false;
    try {
      const transaction = database.transaction(names, mode);
      const giveUp = (): void => {
        isGivenUp = true;
        abort(transaction);
      };
      const late = setTimeout(giveUp, TRANSACTION_MS_MAX);
      this.#underWay.add(giveUp);
      const committed = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error('a transaction was aborted'));
      });
      committed.catch(() => {});
      try {
        const result = await run((name) => transaction.objectStore(name));
        await committed;
        this.#failures = 0;
        return result;
      } catch (thrown) {
        abort(transaction);
        throw thrown;
      } finally {
        clearTimeout(late);
        this.#underWay.delete(giveUp);
      }
    } catch (thrown) {
      if (!isGivenUp) {
        await this.#fail(database, toError(thrown));
      }
      return undefined;
    }
  }

  /** Functions, for example, can't be stored. Then the others are. */
  #put(store: IDBObjectStore, state: StoredState): void {
    try {
      store.put(state);
    } catch (thrown) {
      if (!this.#unstorable.has(state.key)) {
        this.#unstorable.add(state.key);
        this.#failed(toError(thrown));
      }
    }
  }

  async #fail(database: IDBDatabase, error: Error): Promise<void> {
    this.#failures += 1;
    if (error.name !== 'QuotaExceededError') {
      await this.#vanished(database, error);
    } else if (this.#failures === 1) {
      this.#failed(error);
    }
  }

  /** Opens the database again, unless somebody has done so since; one that fails all the same begins anew. */
  async #vanished(database: IDBDatabase, error: Error): Promise<void> {
    if ((await this.#opening) === database && !this.#isOver) {
      database.close();
      const isBroken = this.#failures > 1;
      this.#failed(error);
      this.#opening = isBroken ? this.#renew() : this.#open().catch(() => this.#renew());
      queueMicrotask(() => this.renewed());
    }
    await this.#opening;
  }

  /** Begins anew. Other tabs open theirs again. */
  async #renew(): Promise<IDBDatabase | undefined> {
    try {
      await done(indexedDB.deleteDatabase(this.#name));
      return await this.#open();
    } catch {
      return undefined;
    }
  }

  async #open(): Promise<IDBDatabase> {
    const opening = indexedDB.open(this.#name, VERSION);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore('meta');
      opening.result.createObjectStore('states', { keyPath: 'key' });
      opening.result.createObjectStore('intents', { keyPath: 'id' });
    };
    const database = await done(opening);
    if (STORES.some((name) => !database.objectStoreNames.contains(name))) {
      database.close();
      throw new Error(`the database ${this.#name} is broken`);
    }
    // Somebody deletes it, or it is lost.
    database.onversionchange = () => void this.#vanished(database, new Error(`the database ${this.#name} was deleted`));
    database.onclose = () => void this.#vanished(database, new Error(`the database ${this.#name} is gone`));
    return database;
  }
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It is over already.
  }
}

/** Whether a cursor is behind another of the same log. */
function isBehind(cursor: string, other: string | undefined): boolean {
  const [epoch, sequence] = cursor.split('-');
  const [otherEpoch, otherSequence] = (other ?? '').split('-');
  return epoch === otherEpoch && Number(sequence) < Number(otherSequence);
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('a request failed'));
  });
}
