/** Highwater's client: shows nothing stale, and knows that it has missed nothing. */

export { connect } from './client.js';
export { HighwaterError } from './error.js';
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
