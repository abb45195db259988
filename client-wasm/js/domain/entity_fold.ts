/**
 * A stream folded by its entity, and commands decided on top of it. The state is in wasm, behind a number, and is read from there once
 * somebody wants to see it: so a burst of events costs no more than their folding.
 */

import type { Confirmed, Fold, Prediction } from '../fold.js';
import type { IntentRecord } from '../intent.js';
import type { Entry } from '../outbox.js';
import type { CloudEvent, EntityDescription, Problem, SetAside, Shown, Snapshot } from '../types.js';
import type { Decided, Folded, Module } from './module.js';

/** So many streams a decision may depend on. */
const NEEDS_MAX = 64;
/** The statuses that the server has for refusals. */
const STATUSES = { invalid: 400, not_found: 404, conflict: 409 } as const;

export interface FoldOwner {
  refusal(status: number, problem: Problem): Error;
  /** The number of another stream's state, if it is there. */
  other(stream: string): number | undefined;
  /** What is confirmed has moved, or has come to be ready. */
  moved(): void;
  closed(): void;
}

/** Where a fold has come to. Its state can be read until it moves on, and what was read then stays. */
class Place implements Confirmed<unknown> {
  readonly revision: number;
  readonly version: number;
  readonly #read: () => string;
  #text: string | undefined;
  #folded: Folded | undefined;
  #stored: Confirmed<string> | undefined;

  constructor(revision: number, version: number, read: () => string) {
    this.revision = revision;
    this.version = version;
    this.#read = read;
  }

  get state(): unknown {
    return this.#parsed().state;
  }

  get setAside(): SetAside {
    return this.#parsed().set_aside;
  }

  /** Its snapshot's text in place of its state. */
  get stored(): Confirmed<string> {
    const { revision, version } = this;
    this.#text ??= this.#read();
    this.#stored ??= { state: this.#text, revision, version };
    return this.#stored;
  }

  #parsed(): Folded {
    this.#text ??= this.#read();
    this.#folded ??= JSON.parse(this.#text) as Folded;
    return this.#folded;
  }
}

export class EntityFold implements Fold<unknown> {
  readonly entity: string;
  readonly stream: string;
  readonly key: string;
  readonly #module: Module;
  readonly #at: number;
  readonly #owner: FoldOwner;
  /** The state that is confirmed. */
  #number: number;
  #place: Place;
  /** A copy of it with what is predicted, below 0 where that is nothing. */
  #shown = -1;
  #status: Snapshot<unknown>['status'] = 'loading';
  /** The place that those who depend on it know of. */
  #told: Place | undefined;
  #isClosed = false;

  constructor(module: Module, at: number, { name, schema }: EntityDescription, stream: string, owner: FoldOwner) {
    this.entity = name;
    this.stream = stream;
    this.key = `${stream} ${name} ${schema}`;
    this.#module = module;
    this.#at = at;
    this.#owner = owner;
    this.#number = module.open(at, '');
    this.#place = this.#placeAt(0, 0);
  }

  /** The number of the confirmed state. */
  get number(): number {
    return this.#number;
  }

  /** Whether there is a state that was true once. */
  get isReady(): boolean {
    return this.#status === 'current' || this.#status === 'restored';
  }

  initial(): Place {
    if (this.#place.revision > 0) {
      this.#begin(this.#module.open(this.#at, ''), 0, 0);
    }
    return this.#place;
  }

  restored({ state, revision, version }: Confirmed<unknown>): Place | undefined {
    const number = typeof state === 'string' ? this.#module.open(this.#at, state) : -1;
    return number < 0 ? undefined : this.#begin(number, revision, version);
  }

  storable(): Confirmed<unknown> {
    return this.#place.stored;
  }

  after(confirmed: Confirmed<unknown>, events: readonly CloudEvent[], unreadable: (event: CloudEvent, error: Error) => void): Place {
    const last = events.at(-1);
    if (last && !this.#isClosed) {
      const folds = this.#module.apply(this.#number, events);
      folds.unreadable.forEach(([at, reason]) => unreadable(events[at] as CloudEvent, new TypeError(reason)));
      this.#place = this.#placeAt(last.revision, Math.max(folds.version, confirmed.version));
    }
    return this.#place;
  }

  predict(confirmed: Confirmed<unknown>, entries: readonly Entry[], status: Snapshot<unknown>['status']): Prediction<unknown> {
    this.#tell(status);
    this.#forget();
    const intents: Shown[] = [];
    const failed = new Map<string, Error>();
    const spans = new Map<string, number>();
    const decisions: Decided[] = [];
    for (const { id, stage, intent, record } of entries) {
      if ((record.recorded?.revision || Infinity) <= confirmed.revision) {
        continue;
      }
      intents.push({ id, stage, intent });
      const decided = record.entity === this.entity && !this.#isClosed ? this.#decide(record) : undefined;
      if (decided === undefined || 'needs' in decided) {
        continue; // Whatever comes of it is the server's to say.
      }
      decisions.push(decided);
      if ('refused' in decided) {
        failed.set(id, this.#refusal(decided.refused));
      }
      spans.set(id, 'events' in decided ? decided.events.filter(({ subject }) => subject === this.stream).length : 0);
    }
    const shown = this.#shown < 0 ? undefined : new Place(confirmed.revision, confirmed.version, () => this.#module.snapshot(this.#shown));
    return { state: () => (shown ?? confirmed).state, intents, failed, spans, basis: decisions.length === 0 ? '' : JSON.stringify(decisions) };
  }

  check(record: IntentRecord): void {
    if (this.#isClosed) {
      return;
    }
    const number = this.#module.copy(this.#shown < 0 ? this.#number : this.#shown);
    const decided = this.#decideOn(number, record);
    this.#module.close(number);
    // What is not allowed by a state that is behind may be by the one that the server has.
    if ('refused' in decided && (this.#status === 'current' || decided.refused.kind === 'invalid')) {
      throw this.#refusal(decided.refused);
    }
  }

  close(): void {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#forget();
      this.#module.close(this.#number);
      this.#owner.closed();
    }
  }

  #decide(record: IntentRecord): Decided {
    this.#shown = this.#shown < 0 ? this.#module.copy(this.#number) : this.#shown;
    return this.#decideOn(this.#shown, record);
  }

  /** Decides on a state, which moves. What else that takes is loaded as far as it is there. */
  #decideOn(number: number, { id, stream, actor, time, intent }: IntentRecord): Decided {
    const { type, data, version, clock, causationId: causationid, correlationId: correlationid } = intent;
    const loaded: [string, number][] = [];
    const command = JSON.stringify({ type, data });
    for (;;) {
      const origin = { id, source: actor, time, version, clock, causationid, correlationid };
      const decided = this.#module.decide(number, { entity: this.entity, stream, command, ...origin, now: time, loaded });
      const other = 'needs' in decided && loaded.length < NEEDS_MAX ? this.#owner.other(decided.needs) : undefined;
      if (!('needs' in decided) || other === undefined) {
        return decided;
      }
      loaded.push([decided.needs, other]);
    }
  }

  #refusal({ kind, code, detail }: { readonly kind: keyof typeof STATUSES; readonly code: string; readonly detail: string }): Error {
    const status = STATUSES[kind];
    return this.#owner.refusal(status, { status, code, detail });
  }

  #tell(status: Snapshot<unknown>['status']): void {
    this.#status = status;
    const place = this.isReady ? this.#place : undefined;
    if (place !== this.#told) {
      this.#told = place;
      this.#owner.moved();
    }
  }

  #begin(number: number, revision: number, version: number): Place {
    this.#module.close(this.#number);
    this.#number = number;
    this.#place = this.#placeAt(revision, version);
    return this.#place;
  }

  #placeAt(revision: number, version: number): Place {
    return new Place(revision, version, () => this.#module.snapshot(this.#number));
  }

  #forget(): void {
    if (this.#shown >= 0) {
      this.#module.close(this.#shown);
      this.#shown = -1;
    }
  }
}
