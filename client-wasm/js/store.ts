/**
 * A stream's state, folded from its events: from its first one on, and then as they come. A store believes nobody that it has seen
 * everything: an event that does not follow the last one makes it read the stream from there.
 */

import { Disconnected, HighwaterError, MissingError, ReplacedError, toError } from './error.js';
import { type Confirmed, type Fold, type Prediction, spanOf } from './fold.js';
import type { IntentRecord } from './intent.js';
import { tellAll } from './listeners.js';
import type { Entry } from './outbox.js';
import { type Progress, readStreamPage, type StreamPage } from './requests.js';
import type { Settings } from './settings.js';
import { backoffMs, sleep, whileHeard } from './timing.js';
import type { CloudEvent, CommandOptions, Dispatched, Intent, Shown, Snapshot, Store, Unreadable } from './types.js';

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
  /** What is confirmed may have moved, and this shows on top of it. */
  moved(prediction: Prediction): void;
  closed(): void;
}

interface Page {
  /** The log that it is of; empty where a stream without events does not say. */
  readonly epoch: string;
  readonly events: CloudEvent[];
  /** The stream's last. */
  readonly revision: number;
}

export class StreamStore<State = unknown> implements Store<State> {
  readonly stream: string;
  readonly fold: Fold<State>;
  readonly #settings: Settings;
  readonly #owner: StoreOwner;
  readonly #closing = new AbortController();
  readonly #listeners = new Set<() => void>();
  #confirmed: Confirmed<State>;
  #prediction: Prediction<State>;
  #standing: Standing = { status: 'loading' };
  /** Made when it is asked for. */
  #snapshot: Snapshot<State> | undefined;
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

  constructor(stream: string, fold: Fold<State>, settings: Settings, owner: StoreOwner) {
    this.stream = stream;
    this.fold = fold;
    this.#settings = settings;
    this.#owner = owner;
    this.#confirmed = fold.initial();
    this.#prediction = fold.predict(this.#confirmed, owner.intents(), 'loading');
    void this.#restore();
  }

  // Given away as they are, as React wants them.
  readonly subscribe = (listener: () => void): (() => void) => {
    const called = (): void => listener();
    this.#listeners.add(called);
    return () => this.#listeners.delete(called);
  };

  readonly getSnapshot = (): Snapshot<State> => {
    this.#snapshot ??= this.#shown();
    return this.#snapshot;
  };

  readonly dispatch = (given: Intent, options?: CommandOptions): Dispatched => {
    const intent = { ...given, ...options };
    const { intents, spans } = this.#prediction;
    const ahead = intents.reduce((ahead, { id }) => ahead + spanOf(id, spans), 0);
    const record = this.#owner.intend(intent, intent.isConditional ? this.etag(ahead) : undefined);
    try {
      if (intent.isConditional && (this.status === 'loading' || record.expected === '')) {
        throw new Error(`the state of ${this.stream} is not there yet, so that nothing can be meant only for it`);
      }
      // As it will be sent, whatever becomes of what was given.
      record.intent = JSON.parse(JSON.stringify(intent)) as Intent;
      this.fold.check(record, this.#confirmed, this.#prediction);
    } catch (thrown) {
      return this.#owner.dispatch(record, toError(thrown));
    }
    return this.#owner.dispatch(record);
  };

  get status(): Snapshot<State>['status'] {
    return this.#standing.status;
  }

  get revision(): number {
    return this.#confirmed.revision;
  }

  /** Where the stream is, so many events ahead, as an ETag's text; empty where that is not known. */
  etag(ahead: number): string {
    const epoch = this.#epoch || this.#owner.epoch();
    const revision = this.#confirmed.revision + ahead;
    return epoch === '' && revision > 0 ? '' : `${epoch}.${revision}`;
  }

  /** Whether it has not come as far as this revision yet, and will. */
  isBehind(revision: number): boolean {
    return !this.#closing.signal.aborted && this.status !== 'failed' && this.#confirmed.revision < revision;
  }

  close(): void {
    this.#closing.abort();
    this.#listeners.clear();
    this.getSnapshot(); // What shows last can still be read.
    this.fold.close();
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
    const isWorthIt = epoch !== '' && this.#epoch === epoch && this.#confirmed.revision > 0;
    return isWorthIt ? { key: this.fold.key, epoch, confirmed: this.fold.storable(this.#confirmed) } : undefined;
  }

  /** An event of the stream was judged, whatever the verdict. */
  take(event: CloudEvent): void {
    this.#renew();
    const { revision } = this.#confirmed;
    this.#wanted = Math.max(this.#wanted, event.revision);
    if (event.revision === revision + 1) {
      this.#epoch = this.#owner.epoch();
      try {
        this.#change(undefined, this.#after([event]));
      } catch (thrown) {
        this.#fail(toError(thrown));
      }
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
    if (revision > this.#confirmed.revision && this.status !== 'failed') {
      if (this.status === 'current') {
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
    this.#change({ status: 'loading' }, this.fold.initial());
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
    const stored = await this.#owner.stored(this.fold.key).catch(() => undefined);
    this.#isReading = false;
    if (this.#closing.signal.aborted) {
      return;
    }
    const epoch = this.#owner.epoch();
    const isOfUse = stored && this.#confirmed.revision === 0 && (epoch === '' || epoch === stored.epoch);
    const restored = isOfUse ? this.fold.restored(stored.confirmed) : undefined;
    if (stored && restored) {
      this.#epoch = stored.epoch;
      this.#change({ status: 'restored' }, restored);
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
    // What came meanwhile is there already.
    const events = page.events.filter(({ revision }) => revision > this.#confirmed.revision);
    events.forEach(({ revision }, at) => {
      const next = this.#confirmed.revision + at + 1;
      if (revision > next) {
        throw new MissingError(this.stream, next, revision - 1);
      }
    });
    events.forEach((event) => this.#owner.arrived(event, page.epoch));
    const confirmed = this.#after(events);
    const { revision } = confirmed;
    this.#wanted = Math.max(this.#wanted, page.revision);
    const isAll = revision >= this.#wanted;
    this.#epoch ||= page.epoch;
    if (isAll || revision > this.#confirmed.revision) {
      this.#change({ status: isAll ? 'current' : 'loading' }, confirmed);
    }
    events.forEach((event) => this.#owner.judged(event));
    if (!isAll && revision === before) {
      throw new Error(`revision ${this.#wanted} of ${this.stream} was announced, and is not there yet`);
    }
    this.#isWanted ||= !isAll;
  }

  /** `undefined` where what is confirmed is of another log: then it has begun anew. */
  async #pageFrom(revision: number, signal: AbortSignal): Promise<Page | undefined> {
    const known = this.#epoch || this.#owner.epoch();
    const read = (progress: Progress): Promise<StreamPage> => readStreamPage(this.#settings, this.stream, revision, known, progress, this.#wantedAt);
    try {
      const { page, epoch } = await whileHeard(this.#settings.connectTimeoutMs, signal, read);
      return { ...(JSON.parse(page) as Page), epoch };
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

  #shown(): Snapshot<State> {
    const { status, error } = this.#standing;
    const { state: confirmed, revision, version, setAside } = this.#confirmed;
    const { state, intents } = this.#prediction;
    return Object.freeze({ status, state: state(), confirmed, intents, revision, version, ...(setAside && { setAside }), ...(error && { error }) });
  }

  #after(events: readonly CloudEvent[]): Confirmed<State> {
    const { stream } = this;
    return this.fold.after(this.#confirmed, events, (event, error) => this.#owner.unreadable({ stream, text: JSON.stringify(event), error }));
  }

  /** Moves what is confirmed, or how it stands; tells who listens if that makes a difference. */
  #change(standing: Standing = this.#standing, confirmed: Confirmed<State> = this.#confirmed): void {
    const prediction = this.fold.predict(confirmed, this.#owner.intents(), standing.status);
    const isSame = standing.status === this.status && confirmed === this.#confirmed && showsSame(prediction, this.#prediction);
    if (!isSame) {
      this.#snapshot = undefined;
    }
    this.#confirmed = confirmed;
    this.#prediction = prediction;
    this.#standing = standing;
    if (!isSame) {
      tellAll(this.#listeners);
    }
    this.#owner.moved(prediction);
  }
}

/** How a store stands. */
type Standing = Pick<Snapshot<unknown>, 'status' | 'error'>;

function showsSame({ intents, basis }: Prediction, other: Prediction): boolean {
  const isSame = (intent: Shown, at: number): boolean => intent.id === other.intents[at]?.id && intent.stage === other.intents[at].stage;
  return intents.length === other.intents.length && intents.every(isSame) && basis === other.basis;
}

/** Whether a read that failed like that may succeed later. The client looks after its own token. */
function mayPass(error: Error): boolean {
  const isFinal = error instanceof HighwaterError && !error.retryable && error.status !== 401;
  return !isFinal && !(error instanceof MissingError) && !(error instanceof SyntaxError) && !(error instanceof WebAssembly.RuntimeError);
}
