/** One IndexedDB database, which may fail, be deleted, or be gone at any time. */

import { toError } from '../error.js';
import { sleep } from '../timing.js';

const VERSION = 1;
export const STORES = ['meta', 'states', 'intents'] as const;
/** A database that takes longer to open or to delete is blocked by a page that does not answer. */
const OPEN_MS_MAX = 5_000;
/** So long a transaction may take: it waits for those of other tabs, and one that hangs never ends its own. */
const TRANSACTION_MS_MAX = 2_000;

type Name = (typeof STORES)[number];

/**
 * No method ever rejects: where the database fails, that is told once, and it is opened again; one that fails again begins anew, empty.
 * Where that fails too, or a later version of the page has it, nothing is stored any more.
 */
export class Database {
  readonly #name: string;
  readonly #failed: (error: Error) => void;
  readonly #renewed: () => void;
  #opening: Promise<IDBDatabase | undefined>;
  #isOver = false;
  /** How often it failed since it worked. */
  #failures = 0;
  #isFull = false;
  /** What is under way. */
  readonly #running = new Set<Promise<unknown>>();
  /** How each of its transactions is given up. */
  readonly #givingUp = new Set<() => void>();

  /** `failed` is told of failures; `renewed` is called when what was stored may be gone. */
  constructor(name: string, failed: (error: Error) => void, renewed: () => void) {
    this.#name = name;
    this.#failed = failed;
    this.#renewed = renewed;
    this.#opening = this.#open().catch((thrown: unknown) => this.#broken(toError(thrown)));
  }

  /** Runs a transaction; `undefined` where it failed, or was given up. */
  run<Result>(mode: IDBTransactionMode, names: readonly Name[], work: (store: (name: Name) => IDBObjectStore) => Promise<Result>): Promise<Result | undefined> {
    const running = this.#run(mode, names, work).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  async #run<Result>(mode: IDBTransactionMode, names: readonly Name[], work: (store: (name: Name) => IDBObjectStore) => Promise<Result>): Promise<Result | undefined> {
    const database = await this.#opening;
    if (!database || this.#isOver) {
      return undefined;
    }
    let transaction: IDBTransaction;
    try {
      transaction = database.transaction(names, mode);
    } catch (thrown) {
      this.#failures += 1;
      await this.#vanished(database, toError(thrown));
      return undefined;
    }
    let isGivenUp = false;
    const giveUp = (): void => {
      isGivenUp = true;
      abort(transaction);
    };
    const late = setTimeout(giveUp, TRANSACTION_MS_MAX);
    const ended = new Promise<boolean>((resolve) => {
      transaction.oncomplete = () => resolve(true);
      transaction.onabort = () => resolve(false);
    });
    this.#givingUp.add(giveUp);
    try {
      const result = await work((name) => transaction.objectStore(name));
      if (await ended) {
        if (mode === 'readwrite') {
          this.#failures = 0;
          this.#isFull = false;
        }
        return result;
      }
      throw new Error('a transaction was aborted');
    } catch (thrown) {
      abort(transaction);
      await ended;
      if (!isGivenUp) {
        await this.#fail(database, transaction.error ?? toError(thrown));
      }
      return undefined;
    } finally {
      clearTimeout(late);
      this.#givingUp.delete(giveUp);
    }
  }

  /** Gives up what is under way: in a page that is frozen it would stay so, and keep all other tabs waiting. */
  giveUp(): void {
    this.#givingUp.forEach((giveUp) => giveUp());
  }

  /** Closes it once what is under way is done, and what the present task leads to. */
  async close(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    await Promise.all(this.#running);
    this.#isOver = true;
    (await this.#opening)?.close();
  }

  async #fail(database: IDBDatabase, error: Error): Promise<void> {
    if (error.name !== 'QuotaExceededError') {
      this.#failures += 1;
      await this.#vanished(database, error);
    } else if (!this.#isFull) {
      this.#isFull = true;
      this.#failed(error);
    }
  }

  /** Opens the database again, unless somebody has done so since. */
  async #vanished(database: IDBDatabase, error: Error): Promise<void> {
    if ((await this.#opening) === database && !this.#isOver) {
      database.close();
      this.#failed(error);
      this.#opening = this.#again();
      if (await this.#opening) {
        this.#renewed();
      }
    }
    await this.#opening;
  }

  /** After a failure it may be another's doing, after two it is broken, and after three nothing helps. */
  async #again(): Promise<IDBDatabase | undefined> {
    if (this.#failures > 2) {
      return undefined;
    }
    return this.#failures > 1 ? this.#anew() : this.#open().catch((thrown: unknown) => this.#broken(toError(thrown)));
  }

  /** Begins anew, but for what a later version of the page has made. */
  async #broken(error: Error): Promise<IDBDatabase | undefined> {
    this.#failed(error);
    return error.name === 'VersionError' ? undefined : this.#anew();
  }

  /** Begins anew, empty. Other tabs open theirs again. */
  async #anew(): Promise<IDBDatabase | undefined> {
    try {
      await inTime(done(indexedDB.deleteDatabase(this.#name)), this.#name);
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
    const database = await inTime(done(opening), this.#name, (late) => late.close());
    if (STORES.some((name) => !database.objectStoreNames.contains(name))) {
      database.close();
      throw new Error(`the database ${this.#name} is broken`);
    }
    database.onversionchange = ({ newVersion }) => {
      if (newVersion === null) {
        void this.#vanished(database, new Error(`the database ${this.#name} was deleted`));
      } else {
        database.close();
        this.#opening = Promise.resolve(undefined);
        this.#failed(new Error(`a later version of the page has the database ${this.#name}`));
      }
    };
    database.onclose = () => void this.#vanished(database, new Error(`the database ${this.#name} is gone`));
    return database;
  }
}

/** What a request gives. */
export function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('a request failed'));
  });
}

/** Rejects what takes too long; `late` is given what comes all the same. */
async function inTime<Result>(work: Promise<Result>, name: string, late: (result: Result) => void = () => {}): Promise<Result> {
  const over = new AbortController();
  const tooLate = sleep(OPEN_MS_MAX, over.signal).then(() => {
    if (!over.signal.aborted) {
      work.then(late, () => {});
      throw new Error(`the database ${name} does not open: another page keeps it`);
    }
    return work;
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    over.abort();
  }
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It is over already.
  }
}
