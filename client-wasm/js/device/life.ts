/** Which tabs of a device there are: each holds a lock of its own as long as it lives. */

/** Of a UUID. */
const ID_LENGTH = 36;

export class Life {
  /** The name of this tab, and of its lock. */
  readonly tab: string;
  readonly #device: string;
  #isOver = false;
  /** Lets go of the lock. */
  #release: () => void = () => {};

  constructor(device: string, id: string) {
    this.#device = device;
    this.tab = `${device} ${id}`;
  }

  /** Resolves once the lock is held; browsers may take it from pages that they keep. */
  async begin(): Promise<void> {
    const tabs = await this.#tabs();
    if (this.#isOver || tabs.includes(this.tab)) {
      return;
    }
    await new Promise<void>((resolve) => {
      const live = async (): Promise<void> => {
        resolve();
        if (!this.#isOver) {
          await new Promise<void>((release) => {
            this.#release = release;
          });
        }
      };
      navigator.locks.request(this.tab, live).catch(() => resolve());
    });
  }

  /** The other tabs that there are. */
  async others(): Promise<string[]> {
    return (await this.#tabs()).filter((tab) => tab !== this.tab);
  }

  end(): void {
    this.#isOver = true;
    this.#release();
  }

  async #tabs(): Promise<string[]> {
    const { held = [] } = await navigator.locks.query();
    const prefix = `${this.#device} `;
    return held.map(({ name = '' }) => name).filter((name) => name.startsWith(prefix) && name.length === prefix.length + ID_LENGTH);
  }
}

/** Calls back when a tab is there no more, unless `signal` has aborted by then. */
export function whenGone(tab: string, signal: AbortSignal, gone: () => void): void {
  void navigator.locks.request(tab, { mode: 'shared', signal }, gone).catch(() => {});
}
