/** What every entry point exports. */

export { connect } from './client.js';
export { HighwaterError, LoopError, MissingError } from './error.js';
export type {
  After,
  Client,
  CloudEvent,
  Listeners,
  Lost,
  Message,
  Notice,
  Options,
  Problem,
  Reset,
  Snapshot,
  StateOptions,
  Stats,
  Status,
  StatusChange,
  Store,
  Told,
  Unreadable,
} from './types.js';
