/** What a device keeps in its database: its actor, its term, and cursors, states and intents. */

import { toError } from '../error.js';
import { type IntentRecord, newId } from '../intent.js';
import type { Answer } from '../sender.js';
import type { StoredState } from '../store.js';
import { Database, done, STORES } from './database.js';

/** What was not stored again for so long is of a page that is not there any more, or of topics that nobody follows any more. */
const FORGOTTEN_MS = 30 * 24 * 3_600_000;

const REFUSED_MAX = 1_000;

/** What was there when a tab came. */
export interface Kept {
  readonly actor: string;
  readonly cursor: string | undefined;
  readonly intents: StoredIntents;
}

export interface StoredIntents {
  /** What is to be sent, in the order in which it was meant. */
  readonly records: IntentRecord[];
  /** What was refused lately: no tab that has not heard of that may have it sent. */
  readonly refused: Answer[];
}

/** In place of an intent that was refused. */
interface Refused {
  readonly id: string;
  readonly refusal: Answer['refusal'];
  readonly refusedAt: number;
}

interface Stored {
  readonly storedAt: number;
}

/** A state, and when it was stored. */
type Entry = StoredState & Stored;

/** How far a set of topics was followed. */
interface Place extends Stored {
  readonly cursor: string;
}

/** No method ever rejects: see `Database`. */
export class Storage {
  readonly #database: Database;
  readonly #failed: (error: Error) => void;
  /** States that can't be stored, by key: told once each. */
  readonly #unstorable = new Set<string>();
  /** Called when what was stored may be gone. */
  renewed: () => void = () => {};

  constructor(name: string, failed: (error: Error) => void) {
    this.#failed = failed;
    this.#database = new Database(name, failed, () => this.renewed());
  }

  /** What there is for a tab of these topics; `undefined` where nothing can be stored. */
  async read(topics: string): Promise<Kept | undefined> {
    return this.#database.run('readwrite', STORES, async (store) => {
      const actor = ((await done(store('meta').get('actor'))) as string | undefined) ?? `device:${newId()}`;
      store('meta').put(actor, 'actor');
      const cursor = await cursorOf(store('meta'), topics);
      if (cursor !== undefined) {
        putCursor(store('meta'), topics, cursor);
      }
      await forgetOld(store('states'));
      await forgetRefused(store('intents'));
      await forgetOld(store('meta'), IDBKeyRange.bound(cursorKey(''), cursorKey('\uffff')));
      return { actor, cursor, intents: await intentsOf(store('intents')) };
    });
  }

  /** Stores the actor anew, and the term of who leads. */
  async keep(actor: string, term: number | undefined): Promise<void> {
    await this.#database.run('readwrite', ['meta'], async (store) => {
      store('meta').put(actor, 'actor');
      if (term !== undefined) {
        store('meta').put(term, 'term');
      }
    });
  }

  /**
   * Begins a new reign, above all before it, and above `known`; answers its term. One that can't be stored, and of which others may never
   * hear, is nobody else's all the same: it lies between `known` and the next that is stored.
   */
  async reign(known: number): Promise<number> {
    const term = await this.#database.run('readwrite', ['meta'], async (store) => {
      const term = after(Math.max(await termOf(store('meta')), known));
      store('meta').put(term, 'term');
      return term;
    });
    return term ?? known + (after(known) - known) * Math.random();
  }

  /** That of the last reign which could be stored; `undefined` where it can't be read now. */
  async term(): Promise<number | undefined> {
    return this.#database.run('readonly', ['meta'], (store) => termOf(store('meta')));
  }

  async stateOf(key: string): Promise<StoredState | undefined> {
    return this.#database.run('readonly', ['states'], (store) => done(store('states').get(key)) as Promise<StoredState | undefined>);
  }

  /** Stores cursor and states together, if no reign above the one that this tab knows of has begun. Answers as `change` does. */
  async commit(known: number, topics: string, cursor: string, states: readonly StoredState[]): Promise<number | undefined> {
    return this.#database.run('readwrite', ['meta', 'states'], async (store) => {
      const term = await termOf(store('meta'));
      if (term > known) {
        return term;
      }
      if (!isBehind(cursor, await cursorOf(store('meta'), topics))) {
        putCursor(store('meta'), topics, cursor);
      }
      for (const state of states) {
        const stored = (await done(store('states').get(state.key))) as StoredState | undefined;
        if (stored?.epoch !== state.epoch || stored.confirmed.revision < state.confirmed.revision) {
          this.#put(store('states'), { ...state, storedAt: Date.now() });
        }
      }
      return term;
    });
  }

  /** `undefined` where nothing can be read now. */
  async intents(): Promise<StoredIntents | undefined> {
    return this.#database.run('readonly', ['intents'], (store) => intentsOf(store('intents')));
  }

  /** Stores an intent, unless it was refused meanwhile. Answers `false` where nothing can be stored now. */
  async putIntent(record: IntentRecord): Promise<boolean> {
    const isStored = await this.#database.run('readwrite', ['intents'], async (store) => {
      const stored = (await done(store('intents').get(record.id))) as IntentRecord | Refused | undefined;
      if (!(stored && 'refusal' in stored)) {
        store('intents').put(record);
      }
      return true;
    });
    return isStored ?? false;
  }

  /**
   * Stores what a leader knows of intents, if no reign above its own has begun: whoever leads then knows better. Answers the last reign's
   * term; `undefined` where nothing can be stored now.
   */
  async change(known: number, kept: readonly IntentRecord[], settled: readonly Answer[]): Promise<number | undefined> {
    return this.#database.run('readwrite', ['meta', 'intents'], async (store) => {
      const term = await termOf(store('meta'));
      if (term <= known) {
        const intents = store('intents');
        kept.forEach((record) => intents.put(record));
        for (const { id, refusal } of settled) {
          const refused: Refused = { id, refusal, refusedAt: Date.now() };
          refusal ? intents.put(refused) : intents.delete(id);
        }
      }
      return term;
    });
  }

  /** Gives up what is under way: see `Database`. */
  giveUp(): void {
    this.#database.giveUp();
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** Functions, for example, can't be stored. Then the others are. */
  #put(store: IDBObjectStore, state: Entry): void {
    try {
      store.put(state);
    } catch (thrown) {
      if (!this.#unstorable.has(state.key)) {
        this.#unstorable.add(state.key);
        this.#failed(toError(thrown));
      }
    }
  }
}

/** The first term above another that can be stored. */
function after(term: number): number {
  return Math.floor(term) + 1;
}

async function intentsOf(store: IDBObjectStore): Promise<StoredIntents> {
  const all = (await done(store.getAll())) as (IntentRecord | Refused)[];
  const records = all.flatMap((stored) => ('refusal' in stored ? [] : [stored]));
  const refused = all.flatMap((stored) => ('refusal' in stored ? [{ id: stored.id, refusal: stored.refusal }] : []));
  return { records, refused };
}

async function termOf(meta: IDBObjectStore): Promise<number> {
  return ((await done(meta.get('term'))) as number | undefined) ?? 0;
}

function cursorKey(topics: string): string {
  return `cursor ${topics}`;
}

async function cursorOf(meta: IDBObjectStore, topics: string): Promise<string | undefined> {
  return ((await done(meta.get(cursorKey(topics)))) as Place | undefined)?.cursor;
}

function putCursor(meta: IDBObjectStore, topics: string, cursor: string): void {
  const place: Place = { cursor, storedAt: Date.now() };
  meta.put(place, cursorKey(topics));
}

/** Deletes what was not stored again for long. */
async function forgetOld(store: IDBObjectStore, range?: IDBKeyRange): Promise<void> {
  const [keys, all] = await Promise.all([done(store.getAllKeys(range)), done(store.getAll(range)) as Promise<Stored[]>]);
  keys.filter((_, at) => (all[at]?.storedAt ?? 0) < Date.now() - FORGOTTEN_MS).forEach((key) => store.delete(key));
}

/** Deletes what was refused long ago, or before many others. */
async function forgetRefused(store: IDBObjectStore): Promise<void> {
  const all = (await done(store.getAll())) as (IntentRecord | Refused)[];
  const refused = all.filter((stored) => 'refusal' in stored).sort((one, other) => other.refusedAt - one.refusedAt);
  refused.filter(({ refusedAt }, at) => at >= REFUSED_MAX || refusedAt < Date.now() - FORGOTTEN_MS).forEach(({ id }) => store.delete(id));
}

/** Whether a cursor is behind another of the same log. */
function isBehind(cursor: string, other: string | undefined): boolean {
  const [epoch, sequence] = cursor.split('-');
  const [otherEpoch, otherSequence] = (other ?? '').split('-');
  return epoch === otherEpoch && Number(sequence) < Number(otherSequence);
}
