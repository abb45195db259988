/** What the leader does for the other tabs: it asks for their topics too, and gives them all that comes. */

import type { Followers } from '../connection.js';
import { sleep } from '../timing.js';
import type { Host } from './device.js';
import { whenGone } from './life.js';
import type { Said } from './messages.js';

/** As many as a request may name. */
const TOPICS_MAX = 64;
/** So long a new leader waits for word of what the others follow, before it connects without. */
const GATHER_MS = 250;
const LINE_FEED = 10;

export class Leader implements Followers {
  readonly #host: Host;
  readonly #say: (said: Said) => void;
  readonly #left: () => void;
  /** The other tabs, and what they follow, as far as they have said so. */
  readonly #tabs = new Map<string, readonly string[] | undefined>();
  #gathered: () => void = () => {};
  /** The number of the connection that is there or was there last, its topics, and where it began. */
  #connection = 0;
  #covered: readonly string[] | undefined;
  #after = '';
  /** Those of the connection that is being opened. */
  #asked: readonly string[] = [];
  /** The frame that has not come whole. */
  #rest: Uint8Array = new Uint8Array(0);
  readonly #over = new AbortController();
  #restarting: ReturnType<typeof setTimeout> | undefined;

  /** `others` are the tabs that are there; `left` is called when one of them is not any more. */
  constructor(host: Host, others: readonly string[], say: (said: Said) => void, left: () => void) {
    this.#host = host;
    this.#say = say;
    this.#left = left;
    others.forEach((tab) => this.#know(tab));
  }

  get topics(): readonly string[] {
    return [...new Set([this.#host.connection.topics, ...this.#tabs.values()].flatMap((topics) => topics ?? []))];
  }

  /** Resolves when all others have said what they follow, or had the time to. */
  async gather(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const end = (): void => over.abort();
    signal.addEventListener('abort', end, { signal: over.signal });
    this.#gathered = end;
    this.#lookRound();
    await sleep(GATHER_MS, over.signal);
    end();
  }

  began(topics: readonly string[], after: string): void {
    this.#connection += 1;
    this.#covered = topics;
    this.#after = after;
    this.#asked = [];
    this.#rest = new Uint8Array(0);
    this.#say({ kind: 'began', connection: this.#connection, topics, after });
  }

  /** Cut where frames end: a tab may begin with any of them. */
  chunk(chunk: Uint8Array): void {
    const all = this.#rest.byteLength > 0 ? concat(this.#rest, chunk) : chunk;
    const end = lastFrameEnd(all);
    this.#rest = all.slice(end);
    if (end > 0 && this.areThere) {
      this.#say({ kind: 'frames', connection: this.#connection, frames: all.slice(0, end) });
    }
  }

  page(page: string): void {
    if (this.#tabs.size > 0) {
      this.#say({ kind: 'page', connection: this.#connection, page });
    }
  }

  get areThere(): boolean {
    return this.#tabs.size > 0;
  }

  /** A tab hears this leader, and follows these topics. Answers whether there is room for them. */
  here(tab: string, topics: readonly string[]): boolean {
    const hasRoom = new Set([...this.topics, ...topics]).size <= TOPICS_MAX;
    this.#know(tab, hasRoom ? topics : []);
    this.#lookRound();
    if (!hasRoom) {
      this.#say({ kind: 'full', to: tab });
    }
    return hasRoom;
  }

  #lookRound(): void {
    if ([...this.#tabs.values()].every((topics) => topics !== undefined)) {
      this.#gathered();
    }
  }

  /** A tab wants to be given what is of these topics. */
  hello(tab: string, topics: readonly string[]): void {
    const covered = this.#covered;
    if (!this.here(tab, topics) || !covered) {
      return; // It hears when the first connection begins.
    }
    if (topics.every((topic) => covered.includes(topic))) {
      // Where there is no cursor yet, what tells it is still to come, to that tab too.
      const after = this.#host.judge.cursor ?? this.#after;
      this.#say({ kind: 'welcome', to: tab, connection: this.#connection, after });
    } else if (!topics.every((topic) => this.#asked.includes(topic))) {
      this.restart();
    }
  }

  /** Connects with the topics of now. Many tabs may have come at once. */
  restart(): void {
    this.#restarting ??= setTimeout(() => {
      this.#restarting = undefined;
      this.#asked = this.topics;
      this.#host.connection.restart();
    });
  }

  end(): void {
    this.#over.abort();
    clearTimeout(this.#restarting);
  }

  #know(tab: string, topics?: readonly string[]): void {
    if (!this.#tabs.has(tab)) {
      whenGone(tab, this.#over.signal, () => this.#leave(tab));
    }
    this.#tabs.set(tab, topics);
    this.#host.connection.joined();
  }

  #leave(tab: string): void {
    this.#tabs.delete(tab);
    this.#lookRound();
    this.#left();
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
