/** Entities that are compiled, and their deciders for a client each. */

import type { Deciders, DomainHost } from '../fold.js';
import { matches } from '../topic.js';
import type { Domain, EntityDescription } from '../types.js';
import { EntityFold } from './entity_fold.js';
import { Module } from './module.js';

export class WasmDomain implements Domain {
  readonly #source: () => BufferSource | WebAssembly.Module;
  #module: WebAssembly.Module | undefined;
  #entities: readonly EntityDescription[] | undefined;

  /** Nothing is compiled before it is needed. */
  constructor(source: () => BufferSource | WebAssembly.Module) {
    this.#source = source;
  }

  get entities(): readonly EntityDescription[] {
    this.#entities ??= this.#instance().entities();
    return this.#entities;
  }

  /** An instance for each client: its memory goes when the client does. */
  start(host: DomainHost): Deciders {
    return new WasmDeciders(this.entities, this.#instance(), host);
  }

  #instance(): Module {
    if (!this.#module) {
      const source = this.#source();
      this.#module = source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source);
    }
    return new Module(this.#module);
  }
}

/** A stream that decisions depend on. */
interface Needed {
  /** The streams of those. */
  readonly by: Set<string>;
  /** Closes the store that was opened for them. */
  close: (() => void) | undefined;
}

export class WasmDeciders implements Deciders {
  readonly #entities: readonly EntityDescription[];
  readonly #module: Module;
  readonly #host: DomainHost;
  /** Those that are open, by stream. */
  readonly #folds = new Map<string, Set<EntityFold>>();
  readonly #needed = new Map<string, Needed>();

  constructor(entities: readonly EntityDescription[], module: Module, host: DomainHost) {
    this.#entities = entities;
    this.#module = module;
    this.#host = host;
  }

  fold(entity: string, stream: string): EntityFold {
    const at = this.#entities.findIndex(({ name }) => name === entity);
    const description = this.#entities[at];
    if (!description) {
      throw new TypeError(`there is no entity ${entity}: there are ${this.#entities.map(({ name }) => name).join(', ')}`);
    }
    if (!matches(description.streams, stream)) {
      throw new TypeError(`${stream} is no stream of ${entity}: those are ${description.streams}`);
    }
    const fold: EntityFold = new EntityFold(this.#module, at, description, stream, {
      refusal: (status, problem) => this.#host.refusal(status, problem),
      other: (needed) => this.#other(needed, stream),
      moved: () => this.#moved(stream),
      closed: () => this.#closed(fold),
    });
    this.#folds.set(stream, (this.#folds.get(stream) ?? new Set()).add(fold));
    return fold;
  }

  /** The number of another stream's state. Where there is none yet, `by` is predicted anew once there is. */
  #other(stream: string, by: string): number | undefined {
    const needed = this.#needed.get(stream) ?? { by: new Set(), close: undefined };
    this.#needed.set(stream, needed);
    needed.by.add(by);
    const entity = this.#entities.find(({ streams }) => matches(streams, stream));
    if (!this.#folds.has(stream) && entity) {
      needed.close = this.#host.open(entity.name, stream);
    }
    return [...(this.#folds.get(stream) ?? [])].find(({ isReady }) => isReady)?.number;
  }

  /** Once whoever has moved it is done: what depends on it is predicted on what is there then. */
  #moved(stream: string): void {
    const by = this.#needed.get(stream)?.by;
    if (by) {
      queueMicrotask(() => by.forEach((other) => this.#host.refresh(other)));
    }
  }

  #closed(fold: EntityFold): void {
    const folds = this.#folds.get(fold.stream);
    folds?.delete(fold);
    if (folds?.size !== 0) {
      return;
    }
    this.#folds.delete(fold.stream);
    for (const [stream, needed] of this.#needed) {
      if (needed.by.delete(fold.stream) && needed.by.size === 0) {
        this.#needed.delete(stream);
        needed.close?.();
      }
    }
  }
}
