/** What every entry point exports. */

export { connect } from './client.js';
export { HighwaterError, LoopError, MissingError } from './error.js';
export type {
  After,
  Client,
  CloudEvent,
  Dispatched,
  Intent,
  Listeners,
  Lost,
  Message,
  Notice,
  Options,
  Problem,
  Refused,
  Reset,
  Shown,
  Snapshot,
  StateOptions,
  Stats,
  Status,
  StatusChange,
  StorageFailure,
  Store,
  Told,
  Unreadable,
} from './types.js';
