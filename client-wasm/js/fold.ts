/**
 * What a store folds with, and predicts: a user's reducer here, an entity of `highwater/domain` there. What is confirmed is a value that a
 * store holds; of an entity, it can be read until it is folded further.
 */

import { toError } from './error.js';
import { type IntentRecord, predicted } from './intent.js';
import type { Entry } from './outbox.js';
import type { CloudEvent, Problem, SetAside, Shown, Snapshot, StateOptions } from './types.js';

/** A fold of recorded events. */
export interface Confirmed<State> {
  readonly state: State;
  readonly revision: number;
  readonly version: number;
  readonly setAside?: SetAside;
}

/** What is shown on top of it. */
export interface Prediction<State = unknown> {
  /** Makes the state. To be asked for before anything is predicted anew. */
  readonly state: () => State;
  readonly intents: readonly Shown[];
  /** Why intents may not be, by their ids: those show nothing. */
  readonly failed: ReadonlyMap<string, Error>;
  /** How many events intents make in the stream, by their ids; where it is not said, one. */
  readonly spans: ReadonlyMap<string, number>;
  /** Differs where the same intents show something else on top of the same state. */
  readonly basis: string;
}

export interface Fold<State> {
  /** Whose commands are dispatched; `undefined` where it is events. */
  readonly entity: string | undefined;
  /** What the state is stored as. */
  readonly key: string;
  /** Before the first event. */
  initial(): Confirmed<State>;
  /** What was stored, if it is still of use. */
  restored(stored: Confirmed<unknown>): Confirmed<State> | undefined;
  /** What to store of it: the same object for the same. */
  storable(confirmed: Confirmed<State>): Confirmed<unknown>;
  /** What comes of it by the events that follow. One that can't be read is told, and moves nothing but the revision. */
  after(confirmed: Confirmed<State>, events: readonly CloudEvent[], unreadable: (event: CloudEvent, error: Error) => void): Confirmed<State>;
  /** Predicts what is not part of the confirmed state yet, in order. */
  predict(confirmed: Confirmed<State>, entries: readonly Entry[], status: Snapshot<State>['status']): Prediction<State>;
  /** Throws where an intent may not be, on top of what is predicted. */
  check(record: IntentRecord, confirmed: Confirmed<State>, prediction: Prediction<State>): void;
  /** It is used no more. */
  close(): void;
}

/** What the deciders of a domain need of their client. */
export interface DomainHost {
  /** A refusal, as the server would tell it. */
  refusal(status: number, problem: Problem): Error;
  /** Opens another stream's store, if the client may follow that stream, until the function returned is called. */
  open(entity: string, stream: string): (() => void) | undefined;
  /** What shows of a stream may have changed. */
  refresh(stream: string): void;
}

/** The entities of a domain, for one client. */
export interface Deciders {
  /** Throws a `TypeError` where there is no such entity, or the stream is not of it. */
  fold(entity: string, stream: string): Fold<unknown>;
}

/** How many events an intent makes in its stream, as far as anyone can say. */
export function spanOf(id: string, spans: ReadonlyMap<string, number>): number {
  return spans.get(id) ?? 1;
}

/** Whether it is recorded in what is confirmed. */
export function isPart({ recorded }: IntentRecord, { revision }: Confirmed<unknown>): boolean {
  return (recorded?.revision || Infinity) <= revision;
}

const NO_SPANS: ReadonlyMap<string, number> = new Map();

export class ReducerFold<State, Data> implements Fold<State> {
  readonly entity: undefined;
  readonly key: string;
  readonly #reduce: (state: State, event: CloudEvent<Data>) => State;
  readonly #initial: Confirmed<State>;

  constructor(stream: string, { initial, reduce, key }: StateOptions<State, Data>) {
    // Another way to reduce makes another state of the same events.
    this.key = key ?? `${stream} ${reduce}`;
    this.#reduce = reduce;
    this.#initial = { state: initial, revision: 0, version: 0 };
  }

  initial(): Confirmed<State> {
    return this.#initial;
  }

  restored(stored: Confirmed<unknown>): Confirmed<State> {
    return stored as Confirmed<State>;
  }

  storable(confirmed: Confirmed<State>): Confirmed<unknown> {
    return confirmed;
  }

  /** The gate that the server has, too: an event about an older version moves nothing but the revision. */
  after(confirmed: Confirmed<State>, events: readonly CloudEvent[], unreadable: (event: CloudEvent, error: Error) => void): Confirmed<State> {
    return events.reduce((confirmed, event) => {
      const { revision, version } = event;
      if (version < confirmed.version) {
        return { ...confirmed, revision };
      }
      try {
        return { state: this.#reduce(confirmed.state, event as CloudEvent<Data>), revision, version };
      } catch (thrown) {
        unreadable(event, toError(thrown));
        return { ...confirmed, revision, version };
      }
    }, confirmed);
  }

  predict(confirmed: Confirmed<State>, entries: readonly Entry[]): Prediction<State> {
    let { state, revision, version } = confirmed;
    const intents: Shown[] = [];
    const failed = new Map<string, Error>();
    for (const { id, stage, intent, record } of entries) {
      if (isPart(record, confirmed)) {
        continue;
      }
      intents.push({ id, stage, intent });
      const event = predicted(record, revision + 1, version);
      if (record.entity !== undefined || event.version < version) {
        revision = event.revision; // A command, which no reducer understands; or stale, as it would be.
        continue;
      }
      try {
        state = this.#reduce(state, event as CloudEvent<Data>);
        ({ revision, version } = event);
      } catch (thrown) {
        failed.set(id, toError(thrown));
      }
    }
    return { state: () => state, intents, failed, spans: NO_SPANS, basis: '' };
  }

  check(record: IntentRecord, { revision, version }: Confirmed<State>, { state, intents }: Prediction<State>): void {
    this.#reduce(state(), predicted(record, revision + intents.length + 1, version) as CloudEvent<Data>);
  }

  close(): void {}
}
