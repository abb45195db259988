/** The wasm half, as JavaScript likes it: chunks in, records out. */

import { Event, Fate, Kind, PageKind, Reason, StatusCode, Transport } from '#wasm';
import { toError } from './error.js';
import type { Settings } from './settings.js';
import { instantiate, type Wasm } from './wasm.js';

export { Event, Fate, Kind, PageKind, Reason, StatusCode, Transport };

/** One thing that wasm says. */
export interface Record {
  readonly kind: Kind;
  /** A revision, where the kind has one; else a sequence. */
  readonly number: number;
  /** The position of that sequence. */
  readonly position: string;
  /** The event, the control frame's body or the name. */
  readonly value: unknown;
  /** Where the value's text is no JSON: that text. */
  readonly broken: { readonly text: string; readonly error: Error } | undefined;
}

export interface Counts {
  readonly applied: number;
  readonly stale: number;
  readonly duplicate: number;
  readonly gap: number;
  readonly unreadable: number;
  readonly discarded: number;
  readonly dropped: number;
  readonly held: number;
}

const PART_BYTES_MAX = 16_384;
const WORD_BYTES = 8;
const RECORD_NUMBERS = 4;
/** Where the cursor's sequence stands, behind the counts. */
const CURSOR = 8;
/** The counts and that. */
type Numbers = readonly [number, number, number, number, number, number, number, number, number];

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Judges what arrives for one set of topics. Its records are complete before anyone else is told of them. */
export class Judge {
  /** An instance for each judge: its memory goes when the judge does. */
  readonly #wasm: Wasm;
  readonly #settings: Settings;
  #epoch = '';
  /** All of wasm's memory; empty once that has moved. */
  #bytes = new Uint8Array();
  #words = new Float64Array();
  /** A bit for each kind. */
  #listened = 0;
  #last: Numbers = [0, 0, 0, 0, 0, 0, 0, 0, 0];

  /** When something is to happen by itself, in milliseconds since 1970; below 0 where nothing is. */
  timeoutAt = -1;

  /** Throws a `TypeError` where the settings' `after` is no place to start from. */
  constructor(settings: Settings) {
    this.#wasm = instantiate();
    this.#settings = settings;
    this.#wasm.seed(Math.random());
    this.start(settings.after);
  }

  /** Forgets everything, and starts after this place. Throws a `TypeError` where it is none. */
  start(after: string): void {
    const { heldEventsMax, heldBytesMax, intentsMax, connectTimeoutMs, backoffBaseMs, backoffMaxMs } = this.#settings;
    this.#write(after);
    // What was stored comes on top of what was dispatched meanwhile.
    if (!this.#wasm.start(heldEventsMax, heldBytesMax, 2 * intentsMax, connectTimeoutMs, backoffBaseMs, backoffMaxMs)) {
      throw new TypeError(`after must be a position, 'earliest' or 'latest', not ${JSON.stringify(after)}`);
    }
    this.#epoch = after.includes('-') ? after.slice(0, after.indexOf('-')) : '';
  }

  /** The connection is shared: of what it brings, these topics are ours. */
  share(topics: readonly string[]): void {
    // Names of streams are known there as they stand in JSON.
    this.#write(topics.map((topic) => JSON.stringify(topic).slice(1, -1)).join('\n'));
    this.#wasm.share();
  }

  /** From now on another tab's connection brings what is received, from a new beginning. */
  feed(): void {
    this.#wasm.feed();
  }

  /** Takes an intent after those before it in its lane; answers its number, below 0 where there is no room. */
  intend(lane: number): number {
    return this.#wasm.intend(lane);
  }

  /** The intent to send now; below 0 where there is none. */
  nextIntent(): number {
    return this.#wasm.next_intent();
  }

  /** Takes what became of an intent; with the sequence where it is recorded. */
  became(intent: number, fate: Fate, sequence = 0): Record[] {
    return this.#records(this.#wasm.became(intent, fate, sequence));
  }

  /** Whether events of this kind are told, or only counted. */
  listen(kind: Kind, told: boolean): void {
    const bit = 1 << kind;
    this.#listened = told ? this.#listened | bit : this.#listened & ~bit;
    this.#wasm.listen(this.#listened);
  }

  /** Takes what happens outside. */
  happened(event: Event, status = 0, delayMs = 0): Record[] {
    return this.#records(this.#wasm.happened(Date.now(), event, status, delayMs));
  }

  /** Takes a chunk of an event stream; a large one in parts, lest it leave wasm's memory large for ever. */
  received(chunk: Uint8Array): Record[] {
    const { length } = chunk;
    if (length > PART_BYTES_MAX) {
      return [chunk.subarray(0, length / 2), chunk.subarray(length / 2)].flatMap((part) => this.received(part));
    }
    const spare = this.#wasm.spare(length); // First, as it may move the memory.
    this.#memory().set(chunk, spare);
    return this.#records(this.#wasm.received(Date.now(), length));
  }

  /** Takes a page that something asked for. */
  fetched(page: string, kind: PageKind): Record[] {
    this.#write(page);
    return this.#records(this.#wasm.fetched(Date.now(), kind));
  }

  /** The stream of an event whose data is broken. */
  streamOf(text: string): string | undefined {
    this.#write(text);
    return this.#records(this.#wasm.stream_of())[0]?.value as string | undefined;
  }

  counts(): Counts {
    const [applied, stale, duplicate, gap, unreadable, discarded, dropped, held] = this.#numbers();
    return { applied, stale, duplicate, gap, unreadable, discarded, dropped, held };
  }

  /** The log that positions are of; empty while that is not known. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Up to here everything has been judged. Under `latest`, events that overtake `ready` tell the epoch before there is a cursor. */
  get cursor(): string | undefined {
    const sequence = this.#numbers()[CURSOR];
    return sequence < 0 ? undefined : `${this.#epoch}-${sequence}`;
  }

  #numbers(): Numbers {
    try {
      const at = this.#wasm.counts() / WORD_BYTES;
      this.#memory();
      this.#last = this.#words.slice(at, at + CURSOR + 1) as unknown as Numbers;
    } catch {
      // Where it has broken, how it stood is all there is to say.
    }
    return this.#last;
  }

  /** Wasm's memory, which any call may have moved; `#words` is the same, once this was asked for. */
  #memory(): Uint8Array {
    if (this.#bytes.length === 0) {
      const { buffer } = this.#wasm.memory;
      this.#bytes = new Uint8Array(buffer);
      this.#words = new Float64Array(buffer);
    }
    return this.#bytes;
  }

  #write(text: string): void {
    const bytes = encoder.encode(text);
    const room = this.#wasm.room(bytes.byteLength); // First, as it may move the memory.
    this.#memory().set(bytes, room);
  }

  #records(view: number): Record[] {
    const bytes = this.#memory();
    const words = this.#words;
    const at = view / WORD_BYTES;
    const count = words[at] as number;
    const records = (words[at + 1] as number) / WORD_BYTES;
    const text = words[at + 2] as number;
    const textBytes = words[at + 3] as number;
    this.timeoutAt = words[at + 4] as number;
    if (count === 0) {
      return [];
    }
    const numbers = words.subarray(records, records + count * RECORD_NUMBERS);
    const values = parse(bytes.subarray(text, text + textBytes), numbers);
    return values.map((value, at) => {
      const kind = numbers[at * RECORD_NUMBERS] as Kind;
      const number = numbers[at * RECORD_NUMBERS + 1] as number;
      if (kind === Kind.Epoch) {
        this.#epoch = value as string;
      }
      const broken = value instanceof Broken ? value : undefined;
      return { kind, number, position: `${this.#epoch}-${number}`, value: broken ? undefined : value, broken };
    });
  }
}

/** What stands in place of a value whose text is no JSON. */
class Broken {
  readonly text: string;
  readonly error: Error;

  constructor(text: string, error: Error) {
    this.text = text;
    this.error = error;
  }
}

/** The values of all records, in one go; where one of them is broken, one by one, so that it alone is told broken. */
function parse(bytes: Uint8Array, numbers: Float64Array): unknown[] {
  try {
    const values: unknown = JSON.parse(decoder.decode(bytes));
    if (Array.isArray(values) && agrees(values, numbers)) {
      return values;
    }
  } catch {
    // It is found below.
  }
  const values = [];
  for (let at = 0; at < numbers.length; at += RECORD_NUMBERS) {
    const text = decoder.decode(bytes.subarray(numbers[at + 2], numbers[at + 3]));
    try {
      values.push(JSON.parse(text));
    } catch (error) {
      values.push(new Broken(text, toError(error)));
    }
  }
  return values;
}

/** Whether each value is that of its record: two broken texts side by side can make JSON that is neither of them. */
function agrees(values: readonly unknown[], numbers: Float64Array): boolean {
  return (
    values.length * RECORD_NUMBERS === numbers.length &&
    values.every((value, at) => {
      const kind = numbers[at * RECORD_NUMBERS] as Kind;
      const sequence = (value as { sequence?: unknown } | null)?.sequence;
      return kind > Kind.Gap || Number(sequence) === numbers[at * RECORD_NUMBERS + 1];
    })
  );
}
