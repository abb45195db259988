/** What is compared: bytes of an event stream in, events that move the state out, as objects. */

export interface CloudEvent {
  readonly subject: string;
  readonly sequence: string;
  readonly revision: number;
  readonly version: number;
  readonly data: unknown;
}

/** Gets each event that moves the state, once and in order. */
export type Accept = (event: CloudEvent, position: string) => void;

export interface Client {
  /** Takes a chunk, cut anywhere. All of it is judged before the first event is handed on: whoever gets that may end it all. */
  received(chunk: Uint8Array, accept: Accept): void;
  /** How many events got which verdict, and up to where everything is judged. */
  outcome(): Outcome;
}

export interface Outcome {
  readonly applied: number;
  readonly stale: number;
  readonly duplicate: number;
  readonly gap: number;
  readonly unreadable: number;
  readonly cursor: string | undefined;
}
