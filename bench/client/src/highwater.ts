/** The package's own way from a chunk to its events: its modules, on its wasm. */

import wasm from '../../../client-wasm/pkg/highwater_client_bg.wasm';
import { Event, Judge, Kind } from '../../../client-wasm/js/judge.js';
import { settings } from '../../../client-wasm/js/settings.js';
import { provide } from '../../../client-wasm/js/wasm.js';
import type { Accept, Client, CloudEvent, Outcome } from './client.js';

provide(wasm);

export class Highwater implements Client {
  readonly #judge = new Judge(settings({ url: 'http://server', topics: ['*:**'], after: 'earliest' }));

  constructor() {
    this.#judge.happened(Event.Open);
    this.#judge.happened(Event.Answered);
  }

  received(chunk: Uint8Array, accept: Accept): void {
    for (const { kind, value, position } of this.#judge.received(chunk)) {
      if (kind === Kind.Apply) {
        accept(value as CloudEvent, position);
      }
    }
  }

  outcome(): Outcome {
    const { applied, stale, duplicate, gap, unreadable } = this.#judge.counts();
    return { applied, stale, duplicate, gap, unreadable, cursor: this.#judge.cursor };
  }
}
