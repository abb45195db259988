/** What a store shows: what is confirmed, and on top of it what users mean to do. */

import { toError } from './error.js';
import { predicted } from './intent.js';
import type { Entry } from './outbox.js';
import type { Shown, StateOptions } from './types.js';

/** A fold of recorded events. */
export interface Confirmed<State> {
  readonly state: State;
  readonly revision: number;
  readonly version: number;
}

export interface Prediction<State> {
  readonly state: State;
  readonly intents: readonly Shown[];
  /** What the reducer threw, by the intent's id: those show nothing. */
  readonly failed: ReadonlyMap<string, Error>;
}

/** Folds what is not part of the confirmed state yet, in order. */
export function predict<State, Data>(confirmed: Confirmed<State>, entries: readonly Entry[], { reduce }: StateOptions<State, Data>): Prediction<State> {
  let { state, revision, version } = confirmed;
  const intents: Shown[] = [];
  const failed = new Map<string, Error>();
  for (const { id, stage, intent, record } of entries) {
    if ((record.recorded?.revision || Infinity) <= confirmed.revision) {
      continue;
    }
    intents.push({ id, stage, intent });
    const event = predicted(record, revision + 1, version);
    if (event.version < version) {
      revision = event.revision; // Stale, as it would be.
      continue;
    }
    try {
      state = reduce(state, event as Parameters<typeof reduce>[1]);
      ({ revision, version } = event);
    } catch (thrown) {
      failed.set(id, toError(thrown));
    }
  }
  return { state, intents, failed };
}
