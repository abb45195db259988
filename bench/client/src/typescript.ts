/**
 * What a careful person writes without wasm: the protocol's table of verdicts over a map of marks. What is held and fetched where
 * something is missing is left out, for nothing here is.
 */

import type { Accept, Client, CloudEvent, Outcome } from './client.js';
import { type Frame, FrameReader } from './frames.js';

/** What an event is judged by. */
export interface Header {
  readonly subject: string;
  readonly sequence: string;
  readonly revision: number;
  readonly version: number;
}

/** Reads it from an event's text without parsing that; `undefined` where that can't be done. */
export type Prescan = (text: string) => Header | undefined;

interface Mark {
  revision: number;
  version: number;
}

interface Accepted {
  readonly event: CloudEvent;
  readonly position: string;
}

export class TypeScript implements Client {
  readonly #prescan: Prescan | undefined;
  readonly #frames = new FrameReader();
  readonly #marks = new Map<string, Mark>();
  #epoch = '';
  #cursor = 0;
  readonly #counts = { applied: 0, stale: 0, duplicate: 0, gap: 0, unreadable: 0 };

  /** With a prescan, only what moves the state is parsed. */
  constructor(prescan?: Prescan) {
    this.#prescan = prescan;
  }

  received(chunk: Uint8Array, accept: Accept): void {
    const accepted: Accepted[] = [];
    this.#frames.read(chunk, (frame) => this.#take(frame, accepted));
    for (const { event, position } of accepted) {
      accept(event, position);
    }
  }

  outcome(): Outcome {
    return { ...this.#counts, cursor: this.#epoch === '' ? undefined : `${this.#epoch}-${this.#cursor}` };
  }

  #take({ id, event, prev: prevText, data }: Frame, accepted: Accepted[]): void {
    const dash = id?.indexOf('-') ?? -1;
    const sequence = Number(id?.slice(dash + 1));
    const prev = Number(prevText);
    const isPlaced = id !== undefined && dash === 8 && Number.isSafeInteger(sequence) && Number.isSafeInteger(prev) && this.#isOurs(id);
    if (event === '' && isPlaced) {
      this.#judge(data, id, sequence, prev, accepted);
    } else if (event === '') {
      this.#counts.unreadable += 1;
    } else if (event === 'highwater' && isPlaced) {
      this.#moveCursor(sequence, prev);
    }
  }

  /** Whether a position is of the log that is being read; the first one says which that is. */
  #isOurs(position: string): boolean {
    if (this.#epoch === '') {
      this.#epoch = position.slice(0, 8);
    }
    return position.startsWith(this.#epoch);
  }

  #judge(text: string, position: string, sequence: number, prev: number, accepted: Accepted[]): void {
    let event: CloudEvent | undefined;
    const header = this.#prescan?.(text) ?? (event = parse(text));
    if (header === undefined || Number(header.sequence) !== sequence) {
      this.#counts.unreadable += 1;
      return;
    }
    const { subject, revision, version } = header;
    const mark = this.#marks.get(subject);
    if (revision <= (mark?.revision ?? 0)) {
      this.#counts.duplicate += 1;
    } else if (prev > this.#cursor || revision > (mark?.revision ?? 0) + 1) {
      this.#counts.gap += 1;
      return;
    } else if (mark !== undefined && version < mark.version) {
      mark.revision = revision;
      this.#counts.stale += 1;
    } else {
      if (mark === undefined) {
        this.#marks.set(subject, { revision, version });
      } else {
        mark.revision = revision;
        mark.version = version;
      }
      event ??= parse(text);
      if (event === undefined) {
        this.#counts.unreadable += 1;
      } else {
        this.#counts.applied += 1;
        accepted.push({ event, position });
      }
    }
    this.#moveCursor(sequence, prev);
  }

  #moveCursor(sequence: number, prev: number): void {
    if (prev <= this.#cursor) {
      this.#cursor = Math.max(this.#cursor, sequence);
    }
  }
}

/** An event's object, if the text is one. */
function parse(text: string): CloudEvent | undefined {
  try {
    const event = JSON.parse(text) as CloudEvent | null;
    return isHeader(event) ? event : undefined;
  } catch {
    return undefined;
  }
}

function isHeader<Event extends Header>(header: Event | null): header is Event {
  return (
    header !== null &&
    typeof header.subject === 'string' &&
    typeof header.sequence === 'string' &&
    header.sequence.length === 16 &&
    Number.isInteger(header.revision) &&
    Number.isInteger(header.version)
  );
}
