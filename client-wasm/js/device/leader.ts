/** What the leader does for the other tabs: it asks for their topics too, and gives them all that comes. */

import type { Followers } from '../connection.js';
import type { Host } from './device.js';
import type { Said } from './messages.js';

/** As many as a request may name. */
const TOPICS_MAX = 64;
const LINE_FEED = 10;

export class Leader implements Followers {
  readonly #host: Host;
  readonly #say: (said: Said) => void;
  readonly #resign: () => void;
  /** What other tabs follow. */
  readonly #tabs = new Map<string, readonly string[]>();
  /** The number of the connection that is there or was there last, and its topics. */
  #connection = 0;
  #covered: readonly string[] | undefined;
  /** The frame that has not come whole. */
  #rest = new Uint8Array(0);
  #restarting: ReturnType<typeof setTimeout> | undefined;

  constructor(host: Host, say: (said: Said) => void, resign: () => void) {
    this.#host = host;
    this.#say = say;
    this.#resign = resign;
  }

  get topics(): readonly string[] {
    return [...new Set([this.#host.connection.topics, ...this.#tabs.values()].flat())];
  }

  began(topics: readonly string[], after: string): void {
    this.#connection += 1;
    this.#covered = topics;
    this.#rest = new Uint8Array(0);
    this.#say({ kind: 'began', connection: this.#connection, topics, after });
  }

  /** Cut where frames end: a tab may begin with any of them. */
  chunk(chunk: Uint8Array): void {
    const end = lastFrameEnd(chunk);
    const frames = concat(this.#rest, chunk.subarray(0, end));
    if (end > 0) {
      this.#rest = chunk.slice(end);
      if (this.#tabs.size > 0) {
        this.#say({ kind: 'frames', connection: this.#connection, frames });
      }
    } else {
      this.#rest = concat(this.#rest, chunk);
    }
  }

  page(page: string): void {
    if (this.#tabs.size > 0) {
      this.#say({ kind: 'page', connection: this.#connection, page });
    }
  }

  crowded(): void {
    if (this.#tabs.size > 0) {
      this.#resign();
    }
  }

  /** A tab wants to be given what is of these topics. */
  hello(tab: string, topics: readonly string[]): void {
    if (new Set([...this.topics, ...topics]).size > TOPICS_MAX) {
      return this.#say({ kind: 'full', to: tab });
    }
    if (!this.#tabs.has(tab)) {
      this.#watch(tab);
    }
    this.#tabs.set(tab, topics);
    const covered = this.#covered;
    if (!covered) {
      return; // It hears when the first connection begins.
    }
    const position = this.#host.judge.cursor;
    if (position !== undefined && topics.every((topic) => covered.includes(topic))) {
      this.#say({ kind: 'welcome', to: tab, connection: this.#connection, position, status: this.#host.status });
    } else {
      this.restart();
    }
  }

  bye(tab: string): void {
    this.#tabs.delete(tab);
  }

  /** Connects with the topics of now. Many tabs may have come at once. */
  restart(): void {
    this.#restarting ??= setTimeout(() => {
      this.#restarting = undefined;
      this.#host.connection.restart();
    });
  }

  end(): void {
    clearTimeout(this.#restarting);
  }

  /** A tab holds a lock of its own as long as it lives. */
  #watch(tab: string): void {
    void navigator.locks.request(tab, { mode: 'shared' }, () => this.bye(tab)).catch(() => {});
  }
}

/** Where the last whole frame of a chunk ends: an empty line ends a frame. */
function lastFrameEnd(chunk: Uint8Array): number {
  let at = chunk.lastIndexOf(LINE_FEED);
  while (at > 0 && chunk[at - 1] !== LINE_FEED) {
    at = chunk.lastIndexOf(LINE_FEED, at - 1);
  }
  return at > 0 ? at + 1 : 0;
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.byteLength + second.byteLength);
  both.set(first);
  both.set(second, first.byteLength);
  return both;
}
