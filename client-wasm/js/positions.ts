/** Who waits until a position is reached. */

interface Waiting {
  readonly epoch: string;
  readonly sequence: number;
  resolve(): void;
  reject(error: Error): void;
}

export class Positions {
  #waiting: Waiting[] = [];

  /** Resolves once `reached` is called with this position or a later one. Throws a `TypeError` where it is none. */
  wait(position: string): Promise<void> {
    const [, epoch = '', digits = ''] = /^([0-9a-z]{8})-(\d+)$/.exec(position) ?? [];
    if (digits === '') {
      throw new TypeError(`${position} is no position`);
    }
    return new Promise((resolve, reject) => this.#waiting.push({ epoch, sequence: Number(digits), resolve, reject }));
  }

  /** Lets go who waited for what is told by now. */
  reached(cursor: string): void {
    if (this.#waiting.length > 0) {
      const [epoch, digits] = cursor.split('-');
      this.#end((one) => one.epoch === epoch && one.sequence <= Number(digits));
    }
  }

  /** Positions of another log than the one that this is a position of are never reached. */
  replaced(position: string): void {
    const [epoch] = position.split('-');
    this.#end(
      (one) => one.epoch !== epoch,
      (one) => new Error(`the log that ${one.epoch}-${one.sequence} is of was replaced`),
    );
  }

  /** No more is reached. */
  close(error: Error): void {
    this.#end(
      () => true,
      () => error,
    );
  }

  #end(isOver: (waiting: Waiting) => boolean, error?: (waiting: Waiting) => Error): void {
    const over = this.#waiting.filter(isOver);
    this.#waiting = this.#waiting.filter((one) => !over.includes(one));
    over.forEach((one) => (error ? one.reject(error(one)) : one.resolve()));
  }
}
