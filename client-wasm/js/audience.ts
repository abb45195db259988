/** Who is told what a client has to tell: its listeners and its iterators. */

import { EventBuffer } from './buffer.js';
import { tellAll } from './listeners.js';
import type { Listeners, Told } from './types.js';

/** What can be listened for. */
const NAMES: Record<keyof Listeners, true> = {
  event: true,
  stale: true,
  duplicate: true,
  gap: true,
  unreadable: true,
  lost: true,
  reset: true,
  refused: true,
  storage: true,
  status: true,
};

export class Audience<Data> {
  readonly #listeners = new Map<keyof Listeners, Set<(told: never) => void>>();
  readonly #iterators = new Set<EventBuffer<Told<Data>>>();
  readonly #changed: () => void;
  readonly #madeRoom: () => void;

  /** `changed` is called when others listen, `madeRoom` when an iterator has taken something. */
  constructor(changed: () => void, madeRoom: () => void) {
    this.#changed = changed;
    this.#madeRoom = madeRoom;
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
    this.#changed();
    return () => {
      listeners.delete(called);
      this.#changed();
    };
  }

  /** Whether somebody listens for this. */
  isListening(name: keyof Listeners): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  /** What is told from now on. */
  iterate(): EventBuffer<Told<Data>> {
    const iterator = new EventBuffer<Told<Data>>(this.#madeRoom, (returned) => {
      this.#iterators.delete(returned);
      this.#madeRoom();
    });
    this.#iterators.add(iterator);
    return iterator;
  }

  /** Whether each iterator has fewer events waiting than these. */
  hasRoom(eventsMax: number): boolean {
    for (const { length } of this.#iterators) {
      if (length >= eventsMax) {
        return false;
      }
    }
    return true;
  }

  /** Drops what iterators have not given yet. */
  clear(): void {
    this.#iterators.forEach((iterator) => iterator.clear());
  }

  /** Ends all iterators. */
  end(error: Error | undefined): void {
    this.#iterators.forEach((iterator) => iterator.end(error));
    this.#iterators.clear();
  }

  /** Tells listeners. */
  emit<Name extends keyof Listeners>(name: Name, told: Listeners<Data>[Name]): void {
    tellAll(this.#listeners.get(name) ?? [], told as never);
  }

  /** Tells listeners and iterators. */
  tellAll<Name extends Told['kind']>(kind: Name, told: Listeners<Data>[Name]): void {
    this.emit(kind, told);
    for (const iterator of this.#iterators) {
      iterator.push({ kind, ...told } as unknown as Told<Data>);
    }
  }
}
