/** Web Locks (https://w3c.github.io/web-locks/) of one origin: when a tab hears that it has one, the world says. */

export class Locks {
  #world;
  /** By name: who holds it and who waits for it. */
  #locks = new Map();

  constructor(world) {
    this.#world = world;
  }

  request(name, ...rest) {
    const callback = rest.pop();
    const { mode = 'exclusive', steal = false, signal } = rest[0] ?? {};
    const tab = this.#world.current;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        return reject(signal.reason);
      }
      const request = { name, tab, mode, callback, resolve, reject };
      const lock = this.#locks.get(name) ?? { held: [], waiting: [] };
      this.#locks.set(name, lock);
      const forget = () => {
        lock.waiting = lock.waiting.filter((other) => other !== request);
        reject(signal.reason);
        this.#grant(lock);
      };
      signal?.addEventListener('abort', forget);
      request.granted = () => signal?.removeEventListener('abort', forget);
      if (steal) {
        lock.held.splice(0).forEach((held) => this.#tell(held, () => held.reject(new DOMException('the lock was stolen', 'AbortError'))));
        lock.waiting.unshift(request);
      } else {
        lock.waiting.push(request);
      }
      this.#grant(lock);
    });
  }

  query() {
    const tab = this.#world.current;
    return new Promise((resolve) => {
      this.#world.queue(`lock ${tab.number}`, tab, () => {
        resolve({ held: [...this.#locks.values()].flatMap(({ held }) => held.map(({ name, mode }) => ({ name, mode }))) });
      });
    });
  }

  /** All that a tab has and waits for is let go. */
  forget(tab) {
    for (const lock of this.#locks.values()) {
      lock.held = lock.held.filter((held) => held.tab !== tab);
      lock.waiting = lock.waiting.filter((waiting) => waiting.tab !== tab);
      this.#grant(lock);
    }
  }

  #grant(lock) {
    const [first] = lock.waiting;
    const isFree = lock.held.length === 0 || (first?.mode === 'shared' && lock.held.every(({ mode }) => mode === 'shared'));
    if (!first || !isFree) {
      return;
    }
    lock.waiting.shift();
    lock.held.push(first);
    first.granted();
    this.#tell(first, async () => {
      const work = Promise.resolve(first.callback({ name: first.name, mode: first.mode }));
      await work.catch(() => {});
      // The browser lets it go, and says so, in its own time.
      this.#tell(first, () => {
        lock.held = lock.held.filter((held) => held !== first);
        first.resolve(work);
        this.#grant(lock);
      });
    });
    this.#grant(lock);
  }

  #tell({ tab }, run) {
    this.#world.queue(`lock ${tab.number}`, tab, run);
  }
}
