/** What runs in each engine. All that it takes and gives is JSON. */

import type { Client, Outcome } from './client.js';
import { Fold } from './fold.js';
import { Highwater } from './highwater.js';
import { prescan } from './prescan.js';
import { chunks, frames, type Shape } from './stream.js';
import { TypeScript } from './typescript.js';

export { frames, type Shape };

const CLIENTS = {
  highwater: () => new Highwater(),
  typescript: () => new TypeScript(),
  prescan: () => new TypeScript(prescan),
} satisfies { readonly [name: string]: () => Client };

export type Name = keyof typeof CLIENTS;

export const NAMES = Object.keys(CLIENTS) as Name[];

/** What a client made of a stream: its verdicts, and the state that was folded of what it handed on. */
export interface Made {
  readonly outcome: Outcome;
  readonly state: Fold['tasks'] extends Map<infer Key, infer Value> ? [Key, Value][] : never;
  readonly position: string;
}

/** What each client makes of a stream whose bytes come in these chunks. */
export function judged(stream: readonly Uint8Array[]): Record<Name, Made> {
  return perClient((name) => {
    const { client, fold } = run(name, stream);
    return { outcome: client.outcome(), state: [...fold.tasks], position: fold.position };
  });
}

export interface Measured {
  /** Milliseconds that each client took for the stream, one value a round. */
  readonly times: Record<Name, number[]>;
  readonly made: Record<Name, Made>;
}

/** Takes the time that each client needs for a stream of this shape, in turn. */
export function measure(shape: Shape, { rounds, passes }: { rounds: number; passes: number }): Measured {
  const stream = chunks(shape);
  const made = judged(stream);
  const times = perClient((): number[] => []);
  for (let round = -1; round < rounds; round += 1) {
    const least = perClient(() => Infinity); // Whatever else the machine does only adds to it.
    for (let pass = 0; pass < passes; pass += 1) {
      // Each comes after each other as often: a client may leave something that even the collector is not done with at once.
      const order = pass % 2 === 0 ? NAMES : NAMES.toReversed();
      for (const name of order) {
        least[name] = Math.min(least[name], run(name, stream).took);
      }
    }
    if (round >= 0) {
      NAMES.forEach((name) => times[name].push(least[name])); // The round before is for the engine to compile what runs.
    }
  }
  return { times, made };
}

function run(name: Name, stream: readonly Uint8Array[]): { client: Client; fold: Fold; took: number } {
  const client = CLIENTS[name]();
  const fold = new Fold();
  (globalThis as { gc?: () => void }).gc?.(); // Nobody pays for what another left.
  const started = performance.now();
  for (const chunk of stream) {
    client.received(chunk, fold.accept);
  }
  return { client, fold, took: performance.now() - started };
}

function perClient<Value>(value: (name: Name) => Value): Record<Name, Value> {
  return Object.fromEntries(NAMES.map((name) => [name, value(name)])) as Record<Name, Value>;
}
