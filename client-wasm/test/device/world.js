/**
 * What happens when, of one seed: everything that a tab waits for is an action in a queue here, or a timer of a clock that stands still
 * in between. One action is done at a time, and all that follows from it in its tab before the next: so it is known whose code runs.
 */

import { randomNumbers } from '../random.js';

/** Node's own, of which the fakes take the places. */
const { setImmediate } = globalThis;

export class World {
  now = 1_767_225_600_000;
  /** The tab whose code runs. */
  current;
  /** What was done, a line each. */
  trace = [];
  /** By what has to stay in order. */
  #queues = new Map();
  #timers = [];
  #timersMade = 0;

  constructor(seed) {
    this.random = randomNumbers(Math.imul(seed + 1, 2_654_435_761));
    this.random(2); // The first numbers of seeds that are close are close.
    this.random(2);
  }

  /** Whether it happens, once in so many times. */
  once(times) {
    return this.random(times) === 0;
  }

  pick(choices) {
    return choices[this.random(choices.length)];
  }

  /** `run` is to be done in a tab, after what is in this queue already. `what` says in the trace what it is. */
  queue(key, tab, run, what = '') {
    const queue = this.#queues.get(key);
    if (queue) {
      queue.push({ tab, run, what });
    } else {
      this.#queues.set(key, [{ tab, run, what }]);
    }
  }

  /** Takes something out of a queue, from this place on. */
  unqueue(key, from = 0, count = Number.POSITIVE_INFINITY) {
    const queue = this.#queues.get(key);
    queue?.splice(from, count);
    if (queue?.length === 0) {
      this.#queues.delete(key);
    }
  }

  /** The queues of which the first action could be done now. */
  ready(prefix = '') {
    return [...this.#queues].filter(([key, [first]]) => key.startsWith(prefix) && canRun(first)).map(([key]) => key);
  }

  /** What this queue has first. */
  next(key) {
    return this.#queues.get(key)[0].what;
  }

  length(key) {
    return this.#queues.get(key)?.length ?? 0;
  }

  setTimer(delayMs, run, tab = this.current, everyMs) {
    this.#timersMade += 1;
    const timer = { id: this.#timersMade, at: this.now + Math.max(Number(delayMs) || 0, 0), run, tab, everyMs };
    this.#timers.push(timer);
    return timer.id;
  }

  clearTimer(id) {
    this.#timers = this.#timers.filter((timer) => timer.id !== id);
  }

  /** Does what this queue has first. */
  async act(key) {
    const [{ tab, run, what }] = this.#queues.get(key);
    this.unqueue(key, 0, 1);
    await this.run(tab, `${key} ${what}`, run);
  }

  /** Goes on to the next timer; there always is one, if only the server's. Those of one tab come in the order in which they were set. */
  async tick() {
    const timers = this.#timers.filter(canRun);
    const at = Math.min(...timers.map(({ at }) => at));
    const due = timers.filter((timer) => timer.at === at);
    const { tab } = this.pick(due);
    const timer = due.find((timer) => timer.tab === tab);
    this.now = Math.max(this.now, timer.at);
    if (timer.everyMs === undefined) {
      this.clearTimer(timer.id);
    } else {
      timer.at = this.now + timer.everyMs;
    }
    await this.run(timer.tab, 'timer', timer.run);
  }

  /** Runs code of a tab, and all that it leads to at once. */
  async run(tab, what, code) {
    this.trace.push(`${this.now} ${tab?.number ?? '-'} ${what}`);
    this.current = tab;
    code();
    await new Promise((resolve) => setImmediate(resolve));
    this.current = undefined;
  }

  /** Nothing is done any more for a tab. */
  forget(tab) {
    for (const [key, queue] of this.#queues) {
      const left = queue.filter((action) => action.tab !== tab);
      if (left.length > 0) {
        this.#queues.set(key, left);
      } else {
        this.#queues.delete(key);
      }
    }
    this.#timers = this.#timers.filter((timer) => timer.tab !== tab);
  }
}

function canRun({ tab }) {
  return !tab?.isFrozen;
}
