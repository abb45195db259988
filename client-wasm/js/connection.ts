/**
 * Keeps one set of topics connected: does what the machine in wasm asks for, and tells it what came of it. When to connect, what
 * silence means and what anything says is decided there.
 */

import { Disconnected, HighwaterError, LoopError, toError } from './error.js';
import { frame, resetFrame, resetOf } from './frames.js';
import { Event, type Judge, Kind, PageKind, Reason, type Record, StatusCode, Transport } from './judge.js';
import { openStream, type Progress, readLogPage, readStreamPage } from './requests.js';
import type { Settings } from './settings.js';
import { aborted, onAwake, sleep, Timer, whileHeard } from './timing.js';
import type { Problem, StatusChange } from './types.js';

/** As long as the machine in wasm thinks that a poll may take. */
const POLL_WAIT_S = 25;

/** As often as the machine in wasm polls where nothing moves. */
const POLL_INTERVAL_MS = 1_000;

/** With less room it would be short of it again soon. */
const MUCH_ROOM = 0.5;

/** Who is told. */
export interface Owner {
  tell(record: Record): void;
  /** After `closed` and `failed` nothing more comes. */
  status(change: StatusChange): void;
  /** Whether less than this share of what may wait does; it calls `madeRoom` when that may have changed. Default: all of it. */
  hasRoom(share?: number): boolean;
  /** All that was said is done and told. */
  heeded(): void;
}

/** Other tabs, which are given all that this one's connection brings. */
export interface Followers {
  /** What they follow, and this one. */
  readonly topics: readonly string[];
  /** Whether there are any: then they should not have to wait for this one. */
  readonly areThere: boolean;
  /** A connection begins, with what comes after this position. */
  began(topics: readonly string[], after: string): void;
  chunk(chunk: Uint8Array): void;
  page(page: string): void;
}

export class Connection {
  /** What is followed. */
  topics: readonly string[];
  /** Who shares what comes. */
  followers: Followers | undefined;
  /** Where another tab has the connection: called when what it gives does not fit. */
  adrift: (() => void) | undefined;
  readonly #settings: Settings;
  readonly #judge: Judge;
  readonly #owner: Owner;
  /** Whether others wait for what comes. */
  readonly #areOthers = (): boolean => this.followers?.areThere === true;
  readonly #timer = new Timer(() => this.#heed(() => this.#judge.happened(Event.Timeout)));
  /** The connection that is there, and what belongs to it. */
  #attempt = new AbortController();
  /** Why the last connection ended. */
  #cause: Error = new Disconnected('it was never open');
  #forgetAwake = (): void => {};
  #waiting: (() => void)[] = [];
  /** Whether what comes is for others, as this one has no room for it: it reads it again when it has. */
  #isPassing = false;
  /** What is said and not yet done, oldest first. */
  #said: Record[] = [];
  #isHeeding = false;
  #isOver = false;

  constructor(settings: Settings, judge: Judge, owner: Owner) {
    this.#settings = settings;
    this.#judge = judge;
    this.#owner = owner;
    this.topics = settings.topics;
  }

  open(): void {
    this.adrift = undefined;
    this.#forgetAwake();
    this.#forgetAwake = onAwake(() => this.#heed(() => this.#judge.happened(Event.Awake)));
    this.#heed(() => this.#judge.happened(Event.Open));
  }

  /** Connects with other topics, if it is connected. */
  restart(): void {
    this.#heed(() => this.#judge.happened(Event.Restart));
  }

  close(): void {
    this.#heed(() => this.#judge.happened(Event.Close));
  }

  /** Leaves the connection to another tab; `adrift` is called each time that what it gives does not fit. */
  standBy(adrift: () => void): void {
    this.followers = undefined;
    this.adrift = adrift;
    this.#forgetAwake();
    this.#attempt.abort();
    this.#attempt = new AbortController();
    this.#wake();
    this.#heed(() => {
      this.#judge.feed();
      return [];
    });
  }

  /** Is given all that comes after a position; left out, from where the frames say. */
  begin(position: string): void {
    this.#attempt.abort();
    this.#attempt = new AbortController();
    this.#judge.feed();
    if (position === '') {
      return;
    }
    const [epoch] = position.split('-');
    const isAnother = this.#judge.epoch !== '' && this.#judge.epoch !== epoch;
    // What a stream says that begins there.
    const frames = (isAnother ? resetFrame('epoch_changed', `${epoch}-0`) : '') + frame({ kind: 'ready' }, position);
    this.chunk(new TextEncoder().encode(frames));
  }

  /** Others wait for what comes. */
  joined(): void {
    this.#wake();
  }

  /** Is given a chunk of an event stream. */
  chunk(chunk: Uint8Array): void {
    this.#heed(() => this.#judge.received(chunk));
  }

  /** Is given a page in place of it, or of a topic that is being added. */
  page(page: string, kind: PageKind): void {
    this.#heed(() => this.#judge.fetched(page, kind));
  }

  madeRoom(): void {
    if (this.#isPassing && this.#owner.hasRoom(MUCH_ROOM)) {
      this.#isPassing = false;
      this.restart();
    }
    if (this.#waiting.length > 0 && this.#owner.hasRoom()) {
      this.#wake();
    }
  }

  /** Does and tells all that is said, also after one record that ends the connection: the cursor is behind them all. */
  #heed(ask: () => readonly Record[]): void {
    if (this.#isOver) {
      return;
    }
    // Whoever is told may call back: that comes after what was said before.
    try {
      this.#said = this.#said.concat(ask());
    } catch (thrown) {
      // What broke in wasm is broken for good.
      return this.#finish({ status: 'failed', error: toError(thrown) });
    }
    this.#timer.set(this.#judge.timeoutAt);
    if (this.#isHeeding) {
      return;
    }
    this.#isHeeding = true;
    try {
      while (this.#said.length > 0) {
        this.#said.splice(0).forEach((record) => this.#do(record));
      }
    } finally {
      this.#isHeeding = false;
    }
    this.#owner.heeded();
  }

  #do(record: Record): void {
    switch (record.kind) {
      case Kind.Connect:
        this.#attempt.abort();
        this.#attempt = new AbortController();
        void this.#follow(this.#attempt.signal, record.number);
        break;
      case Kind.Disconnect:
        this.#disconnect(record.number, record.value as number);
        break;
      case Kind.Status:
        this.#changeStatus(record.number, record.value as number);
        break;
      case Kind.Error:
        this.#ended(this.#attempt.signal, problem(record));
        break;
      case Kind.FetchLog:
      case Kind.FetchStream:
        void this.#fill(record, this.#attempt.signal);
        break;
      default:
        this.#owner.tell(record);
    }
  }

  #disconnect(reason: Reason, silentMs: number): void {
    const words = reason === Reason.Silence ? `nothing was heard for ${silentMs} ms` : REASONS[reason];
    if (words !== undefined && !this.#attempt.signal.aborted) {
      this.#cause = new Disconnected(words);
    }
    this.#attempt.abort();
    this.#wake();
    this.adrift?.();
  }

  #changeStatus(code: StatusCode, delayMs: number): void {
    switch (code) {
      case StatusCode.Connecting:
        return this.#owner.status({ status: 'connecting' });
      case StatusCode.Replaying:
        return this.#owner.status({ status: 'replaying' });
      case StatusCode.Live:
        return this.#owner.status({ status: 'live' });
      case StatusCode.BackingOff:
        return this.#owner.status({ status: 'backing_off', delayMs, cause: this.#cause });
      case StatusCode.Closed:
        return this.#finish({ status: 'closed' });
      case StatusCode.Refused:
        return this.#finish({ status: 'failed', error: this.#cause });
      case StatusCode.Unfit:
        return this.#finish({ status: 'failed', error: new LoopError('unfit', this.#cause) });
      case StatusCode.ResetLoop:
        return this.#finish({ status: 'failed', error: new LoopError('reset_loop', this.#cause) });
    }
  }

  #finish(change: StatusChange): void {
    this.#isOver = true;
    this.#forgetAwake();
    this.#attempt.abort();
    this.#timer.set(-1);
    this.#owner.status(change);
  }

  /** One connection, from its request to its end. */
  async #follow(signal: AbortSignal, transport: Transport): Promise<void> {
    try {
      await (transport === Transport.Stream ? this.#read(signal) : this.#poll(signal, transport === Transport.Poll ? POLL_WAIT_S : 0));
    } catch (thrown) {
      this.#ended(signal, toError(thrown));
    }
  }

  /** The connection has ended by itself, perhaps as the server refused something. Where it was ended, nobody asks why. */
  #ended(signal: AbortSignal, cause: Error, refusal = cause instanceof HighwaterError ? cause : undefined): void {
    if (signal.aborted) {
      return;
    }
    this.#cause = cause;
    this.#heed(() => (refusal ? this.#judge.happened(Event.Refused, refusal.status, refusal.retryAfterMs) : this.#judge.happened(Event.Lost)));
  }

  async #read(signal: AbortSignal): Promise<void> {
    this.#isPassing = false;
    const topics = this.followers?.topics ?? this.topics;
    const after = this.#place;
    const opening = openStream(this.#settings, topics, after, signal);
    const over = aborted(signal);
    // What is open, or opens too late, ends even where the one who fetches does not heed the signal.
    void over.then(async () => (await opening).cancel()).catch(() => {});
    const reader = await Promise.race([opening, over]);
    if (!reader || signal.aborted) {
      return;
    }
    this.#heed(() => this.#judge.happened(Event.Answered));
    this.followers?.began(topics, after);
    while (!signal.aborted) {
      const { done, value } = await reader.read();
      if (signal.aborted) {
        return;
      }
      if (done) {
        throw new Disconnected('the server ended the stream');
      }
      if (this.#isPassing) {
        this.#heed(() => this.#judge.happened(Event.Heard));
      } else {
        this.chunk(value);
      }
      this.followers?.chunk(value);
      if (!this.#isPassing) {
        await this.#room(signal, this.#areOthers);
      }
    }
  }

  /** One page, in place of a stream that something in between keeps back; or more, where they are for others alone. */
  async #poll(signal: AbortSignal, waitS: number): Promise<void> {
    this.#isPassing = false;
    try {
      // The first one tells whether polls come through: where others wait for it, there is room.
      if (waitS > 0 || !this.#areOthers()) {
        await this.#room(signal, this.#areOthers);
      }
      const topics = this.followers?.topics ?? this.topics;
      const isPassing = this.#isPassing;
      let after = this.#place;
      do {
        const page = await readLogPage(this.#settings, topics, after, this.#progress(signal, Event.Heard), waitS);
        signal.throwIfAborted();
        this.followers?.began(topics, after);
        if (!isPassing) {
          this.page(page, PageKind.Poll);
        }
        this.followers?.page(page);
        const before = after;
        after = nextOf(page);
        if (isPassing && after === before) {
          await sleep(POLL_INTERVAL_MS, signal);
        }
      } while (isPassing);
    } catch (thrown) {
      const reset = thrown instanceof HighwaterError ? resetOf(thrown) : undefined;
      if (!reset || signal.aborted) {
        throw thrown;
      }
      // A stream would have gone on by itself, with this.
      this.chunk(new TextEncoder().encode(reset));
      throw new Disconnected(`the cursor is of no use: ${(thrown as Error).message}`, { cause: thrown });
    }
  }

  /** Fetches a page of what is missing. Where that fails, the next connection brings it. */
  async #fill(missing: Record, signal: AbortSignal): Promise<void> {
    const ofLog = missing.kind === Kind.FetchLog;
    const { heard } = this.#progress(signal, Event.Fetching);
    try {
      await this.#room(signal);
      const page = await whileHeard(this.#settings.connectTimeoutMs, signal, async (over) => {
        const progress = { ...over, heard: () => (over.heard(), heard()) };
        return ofLog
          ? readLogPage(this.#settings, this.topics, missing.position, progress)
          : (await readStreamPage(this.#settings, missing.value as string, missing.number, this.#judge.epoch, progress)).page;
      });
      heard();
      this.#heed(() => this.#judge.fetched(page, ofLog ? PageKind.Log : PageKind.Stream));
    } catch (thrown) {
      const cause = toError(thrown);
      const mayPass = cause instanceof HighwaterError && (cause.retryable || cause.status === 401);
      const ended = new Disconnected(`what is missing could not be fetched: ${cause.message}`, { cause });
      this.#ended(signal, ended, mayPass ? cause : undefined);
    }
  }

  /** Whoever does not heed the signal is not listened to any longer. */
  #progress(signal: AbortSignal, event: Event): Progress {
    return {
      signal,
      heard: () => {
        signal.throwIfAborted();
        this.#heed(() => this.#judge.happened(event));
      },
    };
  }

  /** Where to start. */
  get #place(): string {
    return this.#judge.cursor ?? this.#settings.after;
  }

  /** Waits until there is room; or, where others wait for what comes, lets it pass until then. */
  async #room(signal: AbortSignal, mayPass = (): boolean => false): Promise<void> {
    while (!signal.aborted && !this.#owner.hasRoom()) {
      if (mayPass()) {
        this.#isPassing = true;
        this.#heed(() => this.#judge.happened(Event.Heard));
        return;
      }
      this.#heed(() => this.#judge.happened(Event.Paused));
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (!signal.aborted) {
        this.#heed(() => this.#judge.happened(Event.Heard));
      }
    }
  }

  #wake(): void {
    this.#waiting.splice(0).forEach((resolve) => resolve());
  }
}

/** Where the log goes on behind a page. */
function nextOf(page: string): string {
  const { next } = JSON.parse(page) as { next?: unknown };
  if (typeof next !== 'string' || !/^\w+-\d+$/.test(next)) {
    throw new Disconnected(REASONS[Reason.Broken]);
  }
  return next;
}

const REASONS: { readonly [reason in Reason]?: string } = {
  [Reason.Goodbye]: 'the server said goodbye',
  [Reason.Misfit]: 'the stream does not fit what is known of the log',
  [Reason.Broken]: 'what arrived is not of the protocol',
};

function problem({ value }: Record): HighwaterError {
  const { problem } = (value ?? {}) as { problem?: Problem };
  return new HighwaterError(problem?.status ?? 500, problem);
}
