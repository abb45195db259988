/** Stores cursor and states, together, a little after they have moved and before the page may go. */

import type { Host } from './device.js';
import type { Storage } from './storage.js';

/** So long a change may wait. */
const DELAY_MS = 200;
/** What is of use is stored again now and then, whether or not it moves: else it would be forgotten. */
const RENEWED_MS = 24 * 3_600_000;

export class Saver {
  readonly #host: Host;
  readonly #storage: Storage;
  readonly #term: () => number;
  readonly #overtaken: (term: number) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #cursor: string | undefined;
  #storedAt = 0;
  /** What is stored of each state, by key. */
  #stored = new Map<string, unknown>();

  /** `term` is the highest that this tab has heard of. A reign above it lets it store nothing: `overtaken` is told of that. */
  constructor(host: Host, storage: Storage, term: () => number, overtaken: (term: number) => void) {
    this.#host = host;
    this.#storage = storage;
    this.#term = term;
    this.#overtaken = overtaken;
  }

  changed(): void {
    this.#timer ??= setTimeout(() => void this.save(), DELAY_MS);
  }

  async save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { judge, stores, connection } = this.#host;
    const { cursor } = judge;
    const states = stores.storable().filter(({ key, confirmed }) => this.#stored.get(key) !== confirmed);
    const isStored = cursor === this.#cursor && Date.now() - this.#storedAt < RENEWED_MS;
    if (cursor === undefined || (isStored && states.length === 0)) {
      return;
    }
    const known = this.#term();
    const term = await this.#storage.commit(known, topicsKey(connection.topics), cursor, states);
    if (term !== undefined && term > known) {
      this.#overtaken(term);
    } else if (term !== undefined) {
      this.#cursor = cursor;
      this.#storedAt = Date.now();
      states.forEach(({ key, confirmed }) => this.#stored.set(key, confirmed));
    }
  }

  /** What was stored is gone. */
  forget(): void {
    this.#cursor = undefined;
    this.#stored.clear();
    this.changed();
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

/** What the cursor of a set of topics is stored under. */
export function topicsKey(topics: readonly string[]): string {
  return [...topics].sort().join(' ');
}
