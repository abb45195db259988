/** What becomes of what users mean where something else came first in its stream. */

import { type Prediction, spanOf } from './fold.js';
import type { Entry } from './outbox.js';

/** What becomes of a stream's intents where something else came first. */
export interface Rebase {
  readonly stream: string;
  /** Where the stream was found to be. */
  readonly conflict: number;
  /** What those that still hold expect now, by id, as ETags' texts; nothing where they expect nothing. */
  readonly kept: readonly (readonly [string, string | undefined])[];
  readonly refused: readonly (readonly [string, Error])[];
}

/**
 * What a state that has come as far makes of a stream's intents: those that fail on top of it are refused, the others expect it now, one
 * after the other. `etag` says what it is, so many events ahead.
 */
export function rebase(stream: string, conflict: number, shown: readonly Entry[], etag: (ahead: number) => string, { failed, spans }: Prediction): Rebase {
  const waiting = shown.filter(({ stage }) => stage !== 'acknowledged');
  const refused = waiting.flatMap(({ id, record }) => (record.expected !== undefined && failed.has(id) ? [[id, failed.get(id) as Error] as const] : []));
  let ahead = 0;
  const kept = waiting
    .filter(({ id }) => !refused.some(([other]) => other === id))
    .map(({ id, record }) => {
      const expected = record.expected && etag(ahead);
      ahead += spanOf(id, spans);
      return [id, expected] as const;
    });
  return { stream, conflict, kept, refused };
}
