/** What became of the intents that were settled last: whoever hears of one late, or asks again, is to be told that, and it is not to be sent. */

import type { Answer } from '../sender.js';

const SETTLED_MAX = 1_000;

export class Settled {
  /** By id, the oldest first. */
  readonly #answers = new Map<string, Answer>();

  has(id: string): boolean {
    return this.#answers.has(id);
  }

  /** What is recorded stays so, whoever is refused it later. */
  add(answer: Answer): void {
    if (this.#answers.get(answer.id)?.recorded && !answer.recorded) {
      return;
    }
    this.#answers.set(answer.id, answer);
    const [oldest] = this.#answers.keys();
    if (oldest !== undefined && this.#answers.size > SETTLED_MAX) {
      this.#answers.delete(oldest);
    }
  }

  all(): Answer[] {
    return [...this.#answers.values()];
  }

  /** The log is another one, which may not have what was recorded. What was refused, users have been told. */
  reset(): void {
    this.all().forEach(({ id, refusal }) => refusal ?? this.#answers.delete(id));
  }
}
