/** What tabs of a device tell each other. All of it can be cloned. */

import { Disconnected, HighwaterError } from '../error.js';
import type { IntentRecord } from '../intent.js';
import type { Rebase } from '../rebase.js';
import type { Answer } from '../sender.js';
import type { Problem, StatusChange } from '../types.js';

/**
 * The leader's words. They are of its term: those of a lower one are not heeded. All of them say how its connection stands, as one that
 * is lost must not leave a tab with what was so before.
 */
export type Said =
  /** It is there. */
  | { readonly kind: 'pong' }
  /** A connection of these topics brings what comes after a place. */
  | { readonly kind: 'began'; readonly connection: number; readonly topics: readonly string[]; readonly after: string }
  /** The connection that is there brings to a tab what comes after a place. */
  | { readonly kind: 'welcome'; readonly to: string; readonly connection: number; readonly after: string }
  /** There are too many topics for those of this tab. */
  | { readonly kind: 'full'; readonly to: string }
  /** Whole frames. */
  | { readonly kind: 'frames'; readonly connection: number; readonly frames: Uint8Array }
  /** A page in place of frames. */
  | { readonly kind: 'page'; readonly connection: number; readonly page: string }
  /** Its connection stands otherwise. */
  | { readonly kind: 'status' }
  | { readonly kind: 'intents'; readonly records: readonly IntentRecord[] }
  | { readonly kind: 'answered'; readonly answer: Answer }
  | { readonly kind: 'rebase'; readonly rebase: Rebase };

/** Any tab's words. */
export type Asked =
  | { readonly kind: 'ping' }
  /** It takes the place of a leader that does not answer: the others need not. */
  | { readonly kind: 'steals' }
  /** It hears a new leader, and follows these topics. */
  | { readonly kind: 'here'; readonly tab: string; readonly topics: readonly string[] }
  /** It wants to be given what is of these topics. */
  | { readonly kind: 'hello'; readonly tab: string; readonly topics: readonly string[] }
  /** Send these, or say what became of them. They are stored, as far as that could be. */
  | { readonly kind: 'send'; readonly records: readonly IntentRecord[] }
  /** What its state makes of a conflict. */
  | { readonly kind: 'rebased'; readonly rebase: Rebase };

export type Message = (Said & { readonly term: number; readonly status: ToldStatus }) | Asked;

/** A status whose cause is plain: clones of errors lose what they are. */
export interface ToldStatus {
  readonly status: StatusChange['status'];
  readonly delayMs?: number;
  readonly cause?: { readonly message: string; readonly status?: number; readonly problem?: Problem | undefined };
}

export function told(change: StatusChange): ToldStatus {
  if (change.status !== 'backing_off') {
    return { status: change.status };
  }
  const { status, delayMs, cause } = change;
  const refused = cause instanceof HighwaterError ? { status: cause.status, problem: cause.problem } : {};
  return { status, delayMs, cause: { message: cause.message, ...refused } };
}

/** How the leader's connection stands. One that is over is another tab's to open. */
export function statusOf({ status, delayMs = 0, cause }: ToldStatus): StatusChange {
  switch (status) {
    case 'backing_off':
      return { status, delayMs, cause: cause?.status === undefined ? new Disconnected(cause?.message) : new HighwaterError(cause.status, cause.problem) };
    case 'failed':
    case 'closed':
      return { status: 'connecting' };
    default:
      return { status };
  }
}
