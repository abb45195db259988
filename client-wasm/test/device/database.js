/**
 * As much of IndexedDB as a device uses. Transactions of a database come one after the other, in the order in which they were made;
 * when a tab hears of anything, the world says. One that is under way when its tab goes leaves no trace.
 */

export class Databases {
  /** The tabs that gave a transaction up, as another one had the database under way. */
  gaveUp = new Set();
  #world;
  #databases = new Map();

  constructor(world) {
    this.#world = world;
  }

  open(name) {
    const request = {};
    const tab = this.#world.current;
    this.#world.queue(`database ${tab.number}`, tab, () => {
      const isNew = !this.#databases.has(name);
      const shared = this.#databases.get(name) ?? { stores: new Map(), transactions: [], gaveUp: this.gaveUp };
      this.#databases.set(name, shared);
      request.result = this.#connection(shared);
      if (isNew) {
        request.onupgradeneeded();
      }
      request.onsuccess();
    });
    return request;
  }

  /** What all of them have in the store of this name. */
  of(name) {
    return [...this.#databases.values()].flatMap(({ stores }) => [...(stores.get(name)?.entries.values() ?? [])]);
  }

  /** What a tab has under way is undone. */
  forget(tab) {
    for (const shared of this.#databases.values()) {
      shared.transactions.filter((transaction) => transaction.tab === tab).forEach((transaction) => transaction.end(false));
    }
  }

  #connection(shared) {
    const { stores } = shared;
    return {
      objectStoreNames: { contains: (name) => stores.has(name) },
      createObjectStore: (name, { keyPath } = {}) => stores.set(name, { keyPath, entries: new Map() }),
      transaction: () => new Transaction(this.#world, shared),
      close: () => {},
    };
  }
}

class Transaction {
  error = null;
  #world;
  #shared;
  /** What is asked for before its turn comes. */
  #asked = [];
  /** How many requests are under way. */
  #running = 0;
  #before;

  constructor(world, shared) {
    this.#world = world;
    this.#shared = shared;
    this.tab = world.current;
    shared.transactions.push(this);
    if (shared.transactions.length === 1) {
      this.begin();
    }
  }

  objectStore(name) {
    const store = this.#shared.stores.get(name);
    const { entries } = store;
    return {
      get: (key) => this.#ask(() => structuredClone(entries.get(key))),
      getAll: (range) => this.#ask(() => within(entries, range).map(([, value]) => structuredClone(value))),
      getAllKeys: (range) => this.#ask(() => within(entries, range).map(([key]) => key)),
      put: (value, key) => {
        const stored = structuredClone(value);
        const name = key ?? stored[store.keyPath];
        return this.#ask(() => (entries.set(name, stored), name));
      },
      delete: (key) => this.#ask(() => void entries.delete(key)),
    };
  }

  abort() {
    if (!this.#shared.transactions.includes(this)) {
      throw new DOMException('it is over', 'InvalidStateError');
    }
    this.#shared.gaveUp.add(this.tab);
    this.end(false);
    this.#later(() => this.onabort());
  }

  /** Its turn has come. */
  begin() {
    this.#before = new Map([...this.#shared.stores].map(([name, { entries }]) => [name, [...entries]]));
    this.#asked.splice(0).forEach((run) => this.#later(run));
    this.#endIfIdle();
  }

  /** The next one's turn comes. */
  end(isCommitted) {
    const { transactions, stores } = this.#shared;
    const wasRunning = transactions[0] === this;
    if (wasRunning && !isCommitted) {
      for (const [name, entries] of this.#before) {
        const store = stores.get(name).entries;
        store.clear();
        entries.forEach(([key, value]) => store.set(key, value));
      }
    }
    transactions.splice(transactions.indexOf(this), 1);
    this.#asked.splice(0).forEach((run) => this.#later(run)); // They fail.
    if (wasRunning) {
      transactions[0]?.begin();
    }
  }

  #ask(work) {
    const request = { error: null };
    this.#running += 1;
    const run = () => {
      this.#running -= 1;
      if (this.#shared.transactions[0] === this) {
        request.result = work();
        request.onsuccess?.();
        this.#endIfIdle();
      } else {
        request.error = new DOMException('the transaction was aborted', 'AbortError');
        request.onerror?.();
      }
    };
    if (this.#shared.transactions[0] === this) {
      this.#later(run);
    } else {
      this.#asked.push(run);
    }
    return request;
  }

  #endIfIdle() {
    this.#later(() => {
      if (this.#running === 0 && this.#shared.transactions[0] === this) {
        this.end(true);
        this.oncomplete();
      }
    });
  }

  #later(run) {
    this.#world.queue(`database ${this.tab.number}`, this.tab, run);
  }
}

function within(entries, range) {
  const sorted = [...entries].sort(([key], [other]) => (key < other ? -1 : 1));
  return range ? sorted.filter(([key]) => range.lower <= key && key <= range.upper) : sorted;
}
