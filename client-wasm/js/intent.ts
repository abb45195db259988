/** Intents as they are stored, sent, and told to other tabs: plain data. */

import type { CloudEvent, CommandOptions, Intent } from './types.js';

export interface IntentRecord {
  readonly id: string;
  readonly stream: string;
  /** The entity that it is a command of; left out, it is an event to append. */
  readonly entity?: string;
  intent: Intent & CommandOptions;
  actor: string;
  readonly time: string;
  /** Where its stream is to be, as an ETag's text, if it is conditional. */
  expected?: string;
  recorded?: Recorded;
}

/** What a user means now. */
export function newIntent(stream: string, entity: string | undefined, intent: Intent, actor: string, expected: string | undefined): IntentRecord {
  const record = { id: newId(), stream, intent, actor, time: new Date().toISOString() };
  return { ...record, ...(entity !== undefined && { entity }), ...(expected !== undefined && { expected }) };
}

/** Where an intent is recorded. */
export interface Recorded {
  readonly position: string;
  /** Of its event, or the last of its events in its stream; 0 where it has made none there. */
  readonly revision: number;
}

/** The event that it will be, as far as anyone can say. */
export function predicted({ id, stream, intent, actor, time }: IntentRecord, revision: number, version: number): CloudEvent {
  return {
    specversion: '1.0',
    id,
    source: actor,
    type: intent.type,
    subject: stream,
    time,
    recordedtime: time,
    datacontenttype: 'application/json',
    sequence: '',
    revision,
    version: intent.version ?? version,
    clock: '',
    commandid: id,
    data: intent.data,
  };
}

let lastMs = 0;

/** A UUID of version 7 (RFC 9562), which is above all that came before, and above `last`. */
export function newId(last = ''): string {
  lastMs = Math.max(Date.now(), lastMs + 1, Number.parseInt(last.replace('-', '').slice(0, 12), 16) + 1 || 0);
  const time = lastMs.toString(16).padStart(12, '0');
  // `crypto.randomUUID` is for secure contexts only.
  const random = Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const variant = (8 + (Number.parseInt(random.slice(0, 1), 16) & 3)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(1, 4)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`;
}
