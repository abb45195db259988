/** What one iterator has not taken yet. */

interface Waiting<Value> {
  resolve(result: IteratorResult<Value, undefined>): void;
  reject(error: Error): void;
}

/** Values wait here for their reader. Whoever fills it looks at `length` first, so that it stays bounded. */
export class EventBuffer<Value> implements AsyncIterableIterator<Value, undefined> {
  #values: Value[] = [];
  /** How many of the values are taken already. */
  #taken = 0;
  #readers: Waiting<Value>[] = [];
  #ended = false;
  #error: Error | undefined;
  readonly #onTaken: () => void;
  readonly #onReturn: (buffer: this) => void;

  /** `onTaken` is called whenever there is more room, `onReturn` when the reader wants no more. */
  constructor(onTaken: () => void, onReturn: (buffer: EventBuffer<Value>) => void) {
    this.#onTaken = onTaken;
    this.#onReturn = onReturn;
  }

  get length(): number {
    return this.#values.length - this.#taken;
  }

  push(value: Value): void {
    if (!this.#ended) {
      this.#values.push(value);
      this.#serve();
    }
  }

  /** After what is held comes the end; before that, once, the error. */
  end(error?: Error): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#error = error;
      this.#serve();
    }
  }

  next(): Promise<IteratorResult<Value, undefined>> {
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
      this.#serve();
    });
  }

  /** Drops what nobody has taken. */
  clear(): void {
    this.#values = [];
    this.#taken = 0;
    this.#onTaken();
  }

  return(): Promise<IteratorResult<Value, undefined>> {
    this.clear();
    this.#error = undefined;
    this.end();
    this.#onReturn(this);
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #serve(): void {
    while (this.#readers.length > 0 && (this.length > 0 || this.#ended)) {
      const reader = this.#readers.shift() as Waiting<Value>;
      if (this.length > 0) {
        reader.resolve({ done: false, value: this.#take() });
        this.#onTaken();
      } else if (this.#error) {
        reader.reject(this.#error);
        this.#error = undefined;
      } else {
        reader.resolve({ done: true, value: undefined });
      }
    }
  }

  #take(): Value {
    const value = this.#values[this.#taken] as Value;
    this.#taken += 1;
    // Moving the rest is paid for by as many values taken.
    if (this.#taken * 2 >= this.#values.length) {
      this.#values = this.#values.slice(this.#taken);
      this.#taken = 0;
    }
    return value;
  }
}
