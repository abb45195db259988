/**
 * A stream's state, folded from its events: from its first one on, and then as they come. A store believes nobody that it has seen
 * everything: an event that does not follow the last one makes it read the stream from there.
 */

import { Disconnected, HighwaterError, MissingError, ReplacedError, toError } from './error.js';
import { type IntentRecord, predicted } from './intent.js';
import { tellAll } from './listeners.js';
import type { Entry } from './outbox.js';
import { type Confirmed, predict } from './prediction.js';
import { type Progress, readStreamPage, type StreamPage } from './requests.js';
import type { Settings } from './settings.js';
import { backoffMs, sleep, whileHeard } from './timing.js';
import type { CloudEvent, Dispatched, Intent, Shown, Snapshot, StateOptions, Store, Unreadable } from './types.js';

/** A state as it is stored. */
export interface StoredState {
  readonly key: string;
  readonly epoch: string;
  readonly confirmed: Confirmed<unknown>;
}

/** What a store needs of its client. */
export interface StoreOwner {
  /** The log that positions are of; empty while that is not known. */
  epoch(): string;
  /** The state that is stored, if there is one. */
  stored(key: string): Promise<StoredState | undefined>;
  /** An event could not be folded. */
  unreadable(told: Unreadable): void;
  /** An event was read from the stream itself, of the log in this epoch. */
  arrived(event: CloudEvent, epoch: string): void;
  /** It is folded. */
  judged(event: CloudEvent): void;
  /** What users mean to do with the stream, and is not confirmed. */
  intents(): readonly Entry[];
  /** An intent of this user for the stream, which is to be where this ETag's text says. */
  intend(intent: Intent, expected: string | undefined): IntentRecord;
  /** Sends it, or refuses it because of an error. */
  dispatch(record: IntentRecord, error?: Error): Dispatched;
  /** What is confirmed may have moved, and these intents fail on top of it. */
  moved(failed: ReadonlyMap<string, Error>): void;
  closed(): void;
}

interface Page<Data> {
  /** The log that it is of; empty where a stream without events does not say. */
  readonly epoch: string;
  readonly events: CloudEvent<Data>[];
  /** The stream's last. */
  readonly revision: number;
}

export class StreamStore<State = unknown, Data = unknown> implements Store<State> {
  readonly stream: string;
  readonly key: string;
  readonly #options: StateOptions<State, Data>;
  readonly #settings: Settings;
  readonly #owner: StoreOwner;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<() => void>();
  #confirmed: Confirmed<State>;
  #snapshot: Snapshot<State>;
  /** The log that what is confirmed is of; empty while it is of none. */
  #epoch = '';
  /** How often it has begun anew. */
  #resets = 0;
  /** The last revision that is known to be there, and where it is in the log. */
  #wanted = 0;
  #wantedAt = '';
  #isReading = false;
  /** Whether a page is to be read, after the one that is being read. */
  #isWanted = false;

  constructor(stream: string, options: StateOptions<State, Data>, settings: Settings, owner: StoreOwner) {
    this.stream = stream;
    // Another way to reduce makes another state of the same events.
    this.key = options.key ?? `${stream} ${options.reduce}`;
    this.#options = options;
    this.#settings = settings;
    this.#owner = owner;
    this.#confirmed = { state: options.initial, revision: 0, version: 0 };
    this.#snapshot = this.#predict({ status: 'loading' }).snapshot;
    void this.#restore();
  }

  // Given away as they are, as React wants them.
  readonly subscribe = (listener: () => void): (() => void) => {
    const called = (): void => listener();
    this.#listeners.add(called);
    return () => this.#listeners.delete(called);
  };

  readonly getSnapshot = (): Snapshot<State> => this.#snapshot;

  readonly dispatch = (intent: Intent): Dispatched => {
    const { status, state, revision, version, intents } = this.#snapshot;
    const record = this.#owner.intend(intent, intent.isConditional ? this.etag(intents.length) : undefined);
    try {
      if (intent.isConditional && (status === 'loading' || record.expected === '')) {
        throw new Error(`the state of ${this.stream} is not there yet, so that nothing can be meant only for it`);
      }
      // As it will be sent, whatever becomes of what was given.
      record.intent = JSON.parse(JSON.stringify(intent)) as Intent;
      this.#options.reduce(state, predicted(record, revision + intents.length + 1, version) as CloudEvent<Data>);
    } catch (thrown) {
      return this.#owner.dispatch(record, toError(thrown));
    }
    return this.#owner.dispatch(record);
  };

  /** Where the stream is, so many events ahead, as an ETag's text; empty where that is not known. */
  etag(ahead: number): string {
    const epoch = this.#epoch || this.#owner.epoch();
    const revision = this.#confirmed.revision + ahead;
    return epoch === '' && revision > 0 ? '' : `${epoch}.${revision}`;
  }

  /** Whether it has not come as far as this revision yet, and will. */
  isBehind(revision: number): boolean {
    return !this.#closing.signal.aborted && this.#snapshot.status !== 'failed' && this.#confirmed.revision < revision;
  }

  close(): void {
    this.#closing.abort();
    this.#listeners.clear();
    this.#owner.closed();
  }

  /** Nothing more comes. */
  end(error: Error | undefined): void {
    this.#closing.abort();
    if (error) {
      this.#fail(error);
    }
  }

  /** What to store; nothing while there is nothing but the beginning. */
  get storable(): StoredState | undefined {
    const epoch = this.#owner.epoch();
    return epoch !== '' && this.#epoch === epoch && this.#confirmed.revision > 0 ? { key: this.key, epoch, confirmed: this.#confirmed } : undefined;
  }

  /** An event of the stream was judged, whatever the verdict. */
  take(event: CloudEvent<Data>): void {
    this.#renew();
    const { revision } = this.#confirmed;
    this.#wanted = Math.max(this.#wanted, event.revision);
    if (event.revision === revision + 1) {
      this.#epoch = this.#owner.epoch();
      this.#change(undefined, this.#fold(this.#confirmed, event));
    } else {
      this.want(event.revision, `${this.#owner.epoch()}-${Number(event.sequence)}`);
    }
  }

  /** This revision is there, and at this position, if that is known. */
  want(revision: number, position = ''): void {
    if (revision > this.#wanted) {
      this.#wanted = revision;
      this.#wantedAt = position;
    }
    if (revision > this.#confirmed.revision && this.#snapshot.status !== 'failed') {
      if (this.#snapshot.status === 'current') {
        this.#change({ status: 'loading' });
      }
      void this.read();
    }
  }

  /** What is meant to be done has changed. */
  refresh(): void {
    this.#change();
  }

  /** The log is another one. */
  reset(): void {
    this.#wanted = 0;
    this.#wantedAt = '';
    this.#epoch = '';
    this.#resets += 1;
    this.#change({ status: 'loading' }, { state: this.#options.initial, revision: 0, version: 0 });
    void this.read();
  }

  /** Reads what comes after the last event folded, until there is no more; once more where it is being read already. */
  async read(): Promise<void> {
    this.#isWanted = true;
    if (this.#isReading) {
      return;
    }
    this.#isReading = true;
    const { signal } = this.#closing;
    for (let failures = 0; this.#isWanted && !signal.aborted; ) {
      this.#isWanted = false;
      try {
        await this.#readPage(signal);
        failures = 0;
      } catch (thrown) {
        const error = toError(thrown);
        if (!mayPass(error)) {
          this.#fail(error);
          continue;
        }
        this.#isWanted = true;
        const { backoffBaseMs, backoffMaxMs } = this.#settings;
        const retryAfterMs = error instanceof HighwaterError ? error.retryAfterMs : 0;
        await sleep(retryAfterMs + backoffMs(failures, backoffBaseMs, backoffMaxMs), signal);
        failures += 1;
      }
    }
    this.#isReading = false;
  }

  #fail(error: Error): void {
    this.#change({ status: 'failed', error });
  }

  /** Begins with what is stored, if anything is. */
  async #restore(): Promise<void> {
    this.#isReading = true;
    const stored = await this.#owner.stored(this.key).catch(() => undefined);
    this.#isReading = false;
    if (this.#closing.signal.aborted) {
      return;
    }
    const epoch = this.#owner.epoch();
    if (stored && this.#confirmed.revision === 0 && (epoch === '' || epoch === stored.epoch)) {
      this.#epoch = stored.epoch;
      this.#change({ status: 'restored' }, stored.confirmed as Confirmed<State>);
    }
    await this.read();
  }

  /** Begins anew where what is confirmed is of another log than the client follows. */
  #renew(): void {
    const epoch = this.#owner.epoch();
    if (this.#epoch !== '' && epoch !== '' && this.#epoch !== epoch) {
      this.reset();
    }
  }

  async #readPage(signal: AbortSignal): Promise<void> {
    this.#renew();
    const { revision: before } = this.#confirmed;
    const resets = this.#resets;
    const page = await this.#pageFrom(before + 1, signal);
    // A reset, or the client's end, came first: it has asked for another page, or for none.
    if (!page || this.#resets !== resets || signal.aborted) {
      return;
    }
    let confirmed = this.#confirmed;
    const folded: CloudEvent<Data>[] = [];
    for (const event of page.events) {
      if (event.revision > confirmed.revision + 1) {
        throw new MissingError(this.stream, confirmed.revision + 1, event.revision - 1);
      }
      // What came meanwhile is there already.
      if (event.revision > confirmed.revision) {
        this.#owner.arrived(event, page.epoch);
        confirmed = this.#fold(confirmed, event);
        folded.push(event);
      }
    }
    const { revision } = confirmed;
    this.#wanted = Math.max(this.#wanted, page.revision);
    const isAll = revision >= this.#wanted;
    this.#epoch ||= page.epoch;
    if (isAll || revision > this.#confirmed.revision) {
      this.#change({ status: isAll ? 'current' : 'loading' }, confirmed);
    }
    folded.forEach((event) => this.#owner.judged(event));
    if (!isAll && revision === before) {
      throw new Error(`revision ${this.#wanted} of ${this.stream} was announced, and is not there yet`);
    }
    this.#isWanted ||= !isAll;
  }

  /** `undefined` where what is confirmed is of another log: then it has begun anew. */
  async #pageFrom(revision: number, signal: AbortSignal): Promise<Page<Data> | undefined> {
    const known = this.#epoch || this.#owner.epoch();
    const read = (progress: Progress): Promise<StreamPage> => readStreamPage(this.#settings, this.stream, revision, known, progress, this.#wantedAt);
    try {
      const { page, epoch } = await whileHeard(this.#settings.connectTimeoutMs, signal, read);
      return { ...(JSON.parse(page) as Page<Data>), epoch };
    } catch (thrown) {
      if (thrown instanceof HighwaterError && thrown.code === 'unknown_stream' && revision === 1) {
        return { epoch: '', events: [], revision: 0 };
      }
      const isReplaced = thrown instanceof ReplacedError || (thrown instanceof HighwaterError && thrown.code === 'unknown_stream');
      if (isReplaced && this.#owner.epoch() === '' && !signal.aborted) {
        this.reset();
        return undefined;
      }
      throw isReplaced ? new Disconnected(`${this.stream} is not what it was: the log was replaced`, { cause: thrown }) : thrown;
    }
  }

  /** The gate that the server has, too: an event about an older version moves nothing but the revision. */
  #fold(confirmed: Confirmed<State>, event: CloudEvent<Data>): Confirmed<State> {
    const { revision, version } = event;
    if (version < confirmed.version) {
      return { ...confirmed, revision };
    }
    try {
      return { state: this.#options.reduce(confirmed.state, event), revision, version };
    } catch (thrown) {
      this.#owner.unreadable({ stream: this.stream, text: JSON.stringify(event), error: toError(thrown) });
      return { ...confirmed, revision, version };
    }
  }

  #predict({ status, error }: Standing): { snapshot: Snapshot<State>; failed: ReadonlyMap<string, Error> } {
    const { state: confirmed, revision, version } = this.#confirmed;
    const { failed, ...shown } = predict(this.#confirmed, this.#owner.intents(), this.#options);
    return { snapshot: Object.freeze({ status, ...shown, confirmed, revision, version, ...(error && { error }) }), failed };
  }

  /** Moves what is confirmed, or how it stands; tells who listens if that makes a difference. */
  #change(standing: Standing = this.#snapshot, confirmed: Confirmed<State> = this.#confirmed): void {
    this.#confirmed = confirmed;
    const { snapshot, failed } = this.#predict(standing);
    if (!isSame(snapshot, this.#snapshot)) {
      this.#snapshot = snapshot;
      tellAll(this.#listeners);
    }
    this.#owner.moved(failed);
  }
}

/** How a store stands. */
type Standing = Pick<Snapshot<unknown>, 'status' | 'error'>;

function isSame<State>(one: Snapshot<State>, other: Snapshot<State>): boolean {
  const isSameIntent = (intent: Shown, at: number): boolean => intent.id === other.intents[at]?.id && intent.stage === other.intents[at].stage;
  return (
    one.status === other.status &&
    one.revision === other.revision &&
    one.confirmed === other.confirmed &&
    one.intents.length === other.intents.length &&
    one.intents.every(isSameIntent)
  );
}

/** Whether a read that failed like that may succeed later. The client looks after its own token. */
function mayPass(error: Error): boolean {
  const isFinal = error instanceof HighwaterError && !error.retryable && error.status !== 401;
  return !isFinal && !(error instanceof MissingError) && !(error instanceof SyntaxError);
}
