/** What every entry point exports. */

export { connect } from './client.js';
export { HighwaterError, LoopError } from './error.js';
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
  Stats,
  Status,
  StatusChange,
  Told,
  Unreadable,
} from './types.js';
