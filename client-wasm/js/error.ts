/** How requests fail, and what that means for the next one. */

import type { Problem } from './types.js';

const PROBLEM_BYTES_MAX = 64 * 1024;
/** Longer than this nobody waits, whatever a server says. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** What a server answered instead of events. */
export class HighwaterError extends Error {
  override readonly name: string = 'HighwaterError';
  /** The HTTP status. */
  readonly status: number;
  /** The problem document, if there was one. */
  readonly problem: Problem | undefined;
  /** How long the server asks to wait. */
  readonly retryAfterMs: number;

  constructor(status: number, problem?: Problem, retryAfterMs = 0) {
    super(problem?.detail ?? problem?.title ?? `the server answered ${status}`);
    this.status = status;
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }

  /** The problem's stable name. */
  get code(): string | undefined {
    return this.problem?.code;
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return this.status < 400 || this.status >= 500 || [408, 425, 429].includes(this.status);
  }
}

/** A connection came to its end. */
export class Disconnected extends Error {
  override readonly name: string = 'Disconnected';
}

/** What was asked for is of another log than the one that is known. */
export class ReplacedError extends Disconnected {
  override readonly name: string = 'ReplacedError';
}

/** Connection after connection was of no use, and another would not be: what the last one ended with is the `cause`. */
export class LoopError extends Error {
  override readonly name: string = 'LoopError';
  /** `unfit`: each broke the protocol; `reset_loop`: each began with a reset, as where two servers with two logs take turns. */
  readonly code: 'unfit' | 'reset_loop';

  constructor(code: LoopError['code'], cause: Error) {
    super(code === 'unfit' ? `again and again: ${cause.message}` : 'the log is another one at every connection', { cause });
    this.code = code;
  }
}

/** The log does not keep these revisions of a stream any more, and without them there is no state. */
export class MissingError extends Error {
  override readonly name: string = 'MissingError';
  readonly stream: string;
  /** The first revision that is missing. */
  readonly from: number;
  /** The last one. */
  readonly to: number;

  constructor(stream: string, from: number, to: number) {
    super(`revisions ${from} to ${to} of ${stream} are not kept any more`);
    this.stream = stream;
    this.from = from;
    this.to = to;
  }
}

/** The error that a response stands for. */
export async function errorOf(response: Response): Promise<HighwaterError> {
  const retryAfterMs = readRetryAfter(response.headers.get('retry-after'));
  return new HighwaterError(response.status, await problemOf(response), retryAfterMs);
}

async function problemOf(response: Response): Promise<Problem | undefined> {
  try {
    const problem: unknown = JSON.parse(await readText(response, PROBLEM_BYTES_MAX));
    return typeof problem === 'object' && problem !== null ? (problem as Problem) : undefined;
  } catch {
    return undefined; // The status says enough.
  }
}

/** `Retry-After` is a number of seconds or a date (RFC 9110). */
function readRetryAfter(value: string | null): number {
  if (value === null) {
    return 0;
  }
  return bounded(/^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now());
}

function bounded(milliseconds: number): number {
  return milliseconds > 0 ? Math.min(milliseconds, RETRY_AFTER_MS_MAX) : 0;
}

/** The body as text; `progress` hears of each chunk. Throws where it is longer than `bytesMax`, or where `progress` does. */
export async function readText(response: Response, bytesMax: number, progress?: { heard(): void }): Promise<string> {
  if (response.body === null) {
    return '';
  }
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = '';
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      progress?.heard();
      if (done) {
        return text + decoder.decode();
      }
      bytes += value.byteLength;
      if (bytes > bytesMax) {
        throw new RangeError(`an answer is longer than ${bytesMax} bytes`);
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch (thrown) {
    void reader.cancel().catch(() => {});
    throw thrown;
  }
}

/** Whatever was thrown, as an error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
