/** An event stream's text, split into frames as the WHATWG standard says, in TypeScript. */

const LF = 10;
const SPACE = 32;

export interface Frame {
  /** The id that this very frame carries. */
  readonly id: string | undefined;
  readonly event: string;
  readonly prev: string | undefined;
  readonly data: string;
}

export class FrameReader {
  readonly #decoder = new TextDecoder();
  /** A line whose end has not come. */
  #rest = '';
  #afterCr = false;
  #id: string | undefined;
  #event = '';
  #prev: string | undefined;
  #data: string | undefined;

  /** Hands on each frame that this chunk completes. */
  read(chunk: Uint8Array, take: (frame: Frame) => void): void {
    let text = this.#decoder.decode(chunk, { stream: true });
    if (this.#afterCr && text !== '') {
      this.#afterCr = false;
      text = text.charCodeAt(0) === LF ? text.slice(1) : text;
    }
    let from = this.#rest.length; // Its line ends after it.
    text = this.#rest + text;
    let start = 0;
    let cr = text.indexOf('\r', from);
    for (;;) {
      const lf = text.indexOf('\n', from);
      if (cr !== -1 && cr < from) {
        cr = text.indexOf('\r', from);
      }
      const end = lf === -1 || (cr !== -1 && cr < lf) ? cr : lf;
      if (end === -1) {
        break;
      }
      if (start < end) {
        this.#takeLine(text, start, end);
      } else {
        this.#endBlock(take);
      }
      start = end + 1;
      if (end === cr) {
        this.#afterCr = start === text.length;
        start += text.charCodeAt(start) === LF ? 1 : 0;
      }
      from = start;
    }
    this.#rest = text.slice(start);
  }

  #takeLine(text: string, start: number, end: number): void {
    const colon = text.indexOf(':', start);
    const nameEnd = colon === -1 || colon > end ? end : colon;
    let value = Math.min(nameEnd + 1, end);
    value += value < end && text.charCodeAt(value) === SPACE ? 1 : 0;
    switch (nameEnd - start) {
      case 2:
        if (text.startsWith('id', start)) {
          const id = text.slice(value, end);
          this.#id = id.includes('\0') ? this.#id : id;
        }
        break;
      case 4:
        if (text.startsWith('data', start)) {
          const line = text.slice(value, end);
          this.#data = this.#data === undefined ? line : `${this.#data}\n${line}`;
        } else if (text.startsWith('prev', start)) {
          this.#prev = text.slice(value, end);
        }
        break;
      case 5:
        if (text.startsWith('event', start)) {
          this.#event = text.slice(value, end);
        }
        break;
    }
  }

  #endBlock(take: (frame: Frame) => void): void {
    if (this.#data !== undefined) {
      take({ id: this.#id, event: this.#event, prev: this.#prev, data: this.#data });
    }
    this.#id = undefined;
    this.#event = '';
    this.#prev = undefined;
    this.#data = undefined;
  }
}
