/** An instance of a module of entities, as JavaScript likes it: values in, values out. What is folded stays inside, behind a number. */

import type { CloudEvent, EntityDescription, SetAside } from '../types.js';

/** What such a module exports: see `Module` in the crate. Texts go in at `room`, and are at `answer` in the length that a call gives. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  room(length: number): number;
  answer(): number;
  entities(): number;
  open(entity: number): number;
  copy(number: number): number;
  close(number: number): void;
  apply(number: number): number;
  snapshot(number: number): number;
  decide(number: number): number;
}

/** A command, and what it is decided on. */
export interface Request {
  readonly entity: string;
  readonly stream: string;
  /** As a text of its own. */
  readonly command: string;
  readonly id: string;
  readonly source: string;
  readonly time?: string;
  readonly version?: number | undefined;
  readonly clock?: string | undefined;
  readonly causationid?: string | undefined;
  readonly correlationid?: string | undefined;
  readonly now: string;
  /** The numbers of other streams' states. */
  readonly loaded: readonly (readonly [stream: string, number: number])[];
}

export type Decided =
  /** These would be recorded. */
  | { readonly events: readonly { readonly subject: string }[] }
  /** The state of this stream is to be loaded. */
  | { readonly needs: string }
  | { readonly refused: { readonly kind: 'invalid' | 'not_found' | 'conflict'; readonly code: string; readonly detail: string } };

/** What became of events. */
export interface Folds {
  readonly version: number;
  /** Which of them can't be read, and why. */
  readonly unreadable: readonly (readonly [at: number, reason: string])[];
}

/** A snapshot. */
export interface Folded {
  readonly state: unknown;
  readonly set_aside: SetAside;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export class Module {
  readonly #wasm: Exports;

  constructor(module: WebAssembly.Module) {
    this.#wasm = new WebAssembly.Instance(module, importsOf(module)).exports as unknown as Exports;
  }

  entities(): EntityDescription[] {
    return JSON.parse(this.#read(this.#wasm.entities())) as EntityDescription[];
  }

  /** The number of a state that is opened anew, or from a snapshot; below 0 where that is of no use. */
  open(entity: number, snapshot: string): number {
    this.#write(snapshot);
    return this.#wasm.open(entity);
  }

  copy(number: number): number {
    return this.#wasm.copy(number);
  }

  close(number: number): void {
    this.#wasm.close(number);
  }

  apply(number: number, events: readonly CloudEvent[]): Folds {
    this.#write(events.map(lines).join('\n'));
    return JSON.parse(this.#read(this.#wasm.apply(number))) as Folds;
  }

  snapshot(number: number): string {
    return this.#read(this.#wasm.snapshot(number));
  }

  /** Decides, and applies what comes of it in the command's stream to the state of this number. */
  decide(number: number, request: Request): Decided {
    this.#write(JSON.stringify(request));
    return JSON.parse(this.#read(this.#wasm.decide(number))) as Decided;
  }

  #write(text: string): void {
    const bytes = encoder.encode(text);
    const room = this.#wasm.room(bytes.byteLength); // First, as it may move the memory.
    new Uint8Array(this.#wasm.memory.buffer).set(bytes, room);
  }

  #read(length: number): string {
    return decoder.decode(new Uint8Array(this.#wasm.memory.buffer, this.#wasm.answer(), length));
  }
}

/** Attributes and data, a line each: wasm keeps data as it is, and reads it only where it is folded. */
function lines({ data, ...attributes }: CloudEvent): string {
  return `${JSON.stringify(attributes)}\n${JSON.stringify(data) ?? ''}`;
}

/** Ours imports nothing. One that comes straight from the compiler does, for what is never called. */
function importsOf(module: WebAssembly.Module): WebAssembly.Imports {
  const imports: Record<string, Record<string, () => void>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = () => {
      throw new WebAssembly.RuntimeError(`a module of entities calls nothing outside, but ${name}`);
    };
  }
  return imports;
}
