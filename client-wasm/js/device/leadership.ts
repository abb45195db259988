/** Which tab leads: the one that holds the device's lock. */

/** What leading is. */
export interface Reign {
  begin(): void;
  /** The lock was let go, or stolen. */
  end(): void;
}

export class Leadership {
  readonly #lock: string;
  readonly #reign: Reign;
  /** The request for the lock that counts. */
  #asking: AbortController | undefined;
  /** Lets the lock go, while it is held. */
  #release: (() => void) | undefined;
  #isPaused = false;

  constructor(lock: string, reign: Reign) {
    this.#lock = lock;
    this.#reign = reign;
  }

  /** Leads as soon as no other tab does; or at once, where the one that does is frozen. */
  ask(options: LockOptions = {}): void {
    if (this.#isPaused || this.#release) {
      return;
    }
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    const reign = async (): Promise<void> => {
      // It may have been given up while it was on its way.
      if (this.#asking === asking) {
        await new Promise<void>((resolve) => {
          this.#release = resolve;
          this.#reign.begin();
        });
      }
    };
    const signal = options.steal ? {} : { signal: asking.signal };
    void navigator.locks
      .request(this.#lock, { ...options, ...signal }, reign)
      .catch(() => {}) // It is aborted, or stolen.
      .then(() => {
        if (this.#asking === asking) {
          this.#asking = undefined;
          this.#ended();
          this.ask();
        }
      });
  }

  steal(): void {
    this.ask({ steal: true });
  }

  /** Leads no more, from now on, and lets others lead, if any wants to. */
  resign(): void {
    this.#release?.();
    this.#ended();
  }

  /** Leads no more and asks for it no more, until `resume`. */
  pause(): void {
    this.#isPaused = true;
    const asking = this.#asking;
    this.#asking = undefined;
    asking?.abort();
    this.resign();
  }

  resume(): void {
    this.#isPaused = false;
    this.ask();
  }

  #ended(): void {
    if (this.#release) {
      this.#release = undefined;
      this.#reign.end();
    }
  }
}
