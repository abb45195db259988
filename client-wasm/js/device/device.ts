/** A device: the tabs of an origin whose clients have the same name. What they share is loaded only where there is a name. */

import type { Connection } from '../connection.js';
import type { IntentRecord } from '../intent.js';
import type { Judge } from '../judge.js';
import type { Outbox } from '../outbox.js';
import type { Rebase } from '../rebase.js';
import type { Answer } from '../sender.js';
import type { Settings } from '../settings.js';
import type { StoredState } from '../store.js';
import type { Stores } from '../stores.js';
import type { StatusChange } from '../types.js';

/** The client of one tab, as its device sees it. */
export interface Host {
  readonly settings: Settings;
  readonly judge: Judge;
  readonly connection: Connection;
  readonly outbox: Outbox;
  readonly stores: Stores;
  readonly status: StatusChange;
  /** How the connection stands that another tab has. */
  changeStatus(change: StatusChange): void;
  /** Whether less than this share of what may wait for its iterators does. */
  hasRoom(share?: number): boolean;
  storageFailed(error: Error): void;
}

/** The device, as one of its clients sees it. */
export interface Device {
  readonly role: 'leader' | 'follower' | 'alone';
  /** The actor that all its tabs are. */
  readonly actor: string;
  /** Begins to follow, or to lead. */
  start(): void;
  stateOf(key: string): Promise<StoredState | undefined>;
  /** This tab follows other topics. */
  topicsChanged(): void;
  /** Cursor or states may have moved. */
  changed(): void;
  statusChanged(): void;
  /** An iterator has taken something. */
  madeRoom(): void;
  /** Stores an intent before it is sent. */
  dispatched(record: IntentRecord): Promise<void>;
  answered(answer: Answer): void;
  rebased(rebase: Rebase): void;
  stored(record: IntentRecord): void;
  settled(record: IntentRecord, error: Error | undefined): void;
  /** The log is another one, or it is known now which it is. */
  replaced(): void;
  /** Whether this tab still leads, for all that the database knows. */
  leads(): Promise<boolean>;
  /** Stores that these are refused; answers whether that is for this tab to say. */
  refuses(answers: readonly Answer[]): Promise<boolean>;
  close(): void;
}
