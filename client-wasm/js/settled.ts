/** What became of the intents that were settled last: whoever hears of one late, or asks again, is to be told that, and it is not to be sent. */

import type { Answer } from './sender.js';

const SETTLED_MAX = 1_000;

export class Settled {
  /** By id, the oldest first. */
  readonly #answers = new Map<string, Answer>();

  has(id: string): boolean {
    return this.#answers.has(id);
  }

  get(id: string): Answer | undefined {
    return this.#answers.get(id);
  }

  add(answer: Answer): void {
    this.#answers.set(answer.id, answer);
    const [oldest] = this.#answers.keys();
    if (oldest !== undefined && this.#answers.size > SETTLED_MAX) {
      this.#answers.delete(oldest);
    }
  }

  get ids(): Iterable<string> {
    return this.#answers.keys();
  }

  clear(): void {
    this.#answers.clear();
  }
}
