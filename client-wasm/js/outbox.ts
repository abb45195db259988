/**
 * What users mean to do, from `dispatch` until it is settled. Order and rules are those of the overlay in wasm; here is what it keeps
 * for each intent, and the requests. Tabs of one device hold the same intents, and one of them sends.
 */

import { HighwaterError } from './error.js';
import type { Prediction } from './fold.js';
import type { IntentRecord, Recorded } from './intent.js';
import { Fate, type Judge, Kind, type Record } from './judge.js';
import { type Rebase, rebase } from './rebase.js';
import { type PromiseWithResolvers, withResolvers } from './resolvers.js';
import { type Answer, Sender } from './sender.js';
import type { Settings } from './settings.js';
import { aborted, onAwake, sleep } from './timing.js';
import type { CloudEvent, Dispatched, Refused, Shown } from './types.js';

/** Who is told. */
export interface OutboxOwner {
  /** What shows of a stream has changed. */
  changed(stream: string): void;
  refused(told: Refused): void;
  /** The server has answered an intent that was sent from here. */
  answered(answer: Answer): void;
  /** What a state that shows here makes of a stream's intents. */
  rebased(rebase: Rebase): void;
  /** Whether it is still this tab that sends: no other may have had this refused. */
  leads(): boolean | Promise<boolean>;
  /** Stores that these are refused, before anybody is told. Answers whether that is for this tab to say: no other may have had them recorded. */
  refuses(answers: readonly Answer[]): boolean | Promise<boolean>;
  /** An intent is recorded, begins anew, or expects something else. */
  stored(record: IntentRecord): void;
  /** An intent is settled; refused where there is an error. */
  settled(record: IntentRecord, error: Error | undefined): void;
  /** Whether the states that show are behind this revision of a stream. */
  isBehind(stream: string, revision: number): boolean;
  /** Whether a state shows here that is to come as far as what is recorded. */
  isShown(stream: string): boolean;
  /** Has them read it. */
  want(stream: string, revision: number): void;
}

/** One intent. */
export interface Entry extends Shown {
  readonly record: IntentRecord;
  stage: Shown['stage'];
  /** Where its stream was found to be. */
  conflict: number | undefined;
}

interface Kept extends Entry {
  /** The overlay's, once it may be sent. */
  number: number | undefined;
  /** Confirmed, but no state that shows has come as far. */
  isSettled: boolean;
  /** How often its stream was not where it expected. */
  conflicts: number;
  /** How the server said so last. */
  refusal: Answer['refusal'];
  readonly acknowledged: PromiseWithResolvers<string>;
  readonly confirmed: PromiseWithResolvers<void>;
}

export class Outbox {
  readonly #settings: Settings;
  readonly #judge: Judge;
  readonly #owner: OutboxOwner;
  readonly #sender: Sender;
  /** By id, in the order in which they were meant. */
  readonly #kept = new Map<string, Kept>();
  /** The lane of each stream that something is meant for. */
  readonly #lanes = new Map<string, number>();
  #lanesMade = 0;
  /** Aborts when it does not send any more. */
  #sending: AbortController | undefined;

  constructor(settings: Settings, judge: Judge, owner: OutboxOwner) {
    this.#settings = settings;
    this.#judge = judge;
    this.#owner = owner;
    this.#sender = new Sender(settings, (recorded) => this.isOurs(recorded));
  }

  get size(): number {
    return this.#kept.size;
  }

  /** What shows of a stream, in order. */
  shown(stream: string): Entry[] {
    return [...this.#kept.values()].filter(({ record }) => record.stream === stream);
  }

  /** What may be sent, as it is stored. */
  queued(): IntentRecord[] {
    return [...this.#kept.values()].filter(({ number }) => number !== undefined).map(({ record }) => record);
  }

  has(id: string): boolean {
    return this.#kept.has(id);
  }

  /** Where a stream was found to be that an intent expected elsewhere. */
  conflict(stream: string): number | undefined {
    return this.shown(stream).find(({ conflict }) => conflict !== undefined)?.conflict;
  }

  /** Shows an intent, of this tab or another; `enqueue` makes that it is sent. `undefined` where there is no more room. */
  add(record: IntentRecord): Dispatched | undefined {
    if (this.#kept.size >= this.#settings.intentsMax) {
      return undefined;
    }
    const { id, stream, intent } = record;
    const kept: Kept = {
      id,
      intent,
      record,
      stage: 'pending',
      conflict: undefined,
      number: undefined,
      isSettled: false,
      conflicts: 0,
      refusal: undefined,
      acknowledged: withResolvers(),
      confirmed: withResolvers(),
    };
    this.#kept.set(id, kept);
    this.#owner.changed(stream);
    return { id, acknowledged: kept.acknowledged.promise, confirmed: kept.confirmed.promise };
  }

  /** Takes what was stored: it was meant before all that is here. */
  restore(records: readonly IntentRecord[]): void {
    const later = [...this.#kept];
    this.#kept.clear();
    records.forEach((record) => this.add(record));
    later.forEach(([id, kept]) => this.#kept.set(id, kept));
    records.forEach(({ id }) => this.enqueue(id));
  }

  /** Lets an intent be sent, after those before it. */
  enqueue(id: string): void {
    const kept = this.#kept.get(id);
    if (kept) {
      this.#numberOf(kept);
      const { recorded } = kept.record;
      if (recorded) {
        this.#became(kept, { id, recorded });
      }
      this.send();
    }
  }

  /** What another tab was answered. */
  answered(answer: Answer): void {
    const kept = this.#kept.get(answer.id);
    if (kept) {
      this.#became(kept, answer);
    }
  }

  /** An event is there: states that fold it show its intent no more. */
  arrived(event: CloudEvent, position: string): void {
    const kept = this.#madeBy(event);
    if (kept && !(kept.record.recorded && this.isOurs(kept.record.recorded))) {
      kept.record.recorded = { position, revision: event.revision };
    }
  }

  /** A verdict fell on an event that has arrived. */
  judged(event: CloudEvent): void {
    const kept = this.#madeBy(event);
    if (kept) {
      this.settle(this.#fate(kept, Fate.Judged));
    }
  }

  /** Takes what the overlay says is settled. */
  settle(records: readonly Record[]): void {
    for (const { kind, number } of records) {
      const kept = kind === Kind.Settled && [...this.#kept.values()].find((kept) => kept.number === number);
      if (kept) {
        const { stream, recorded } = kept.record;
        kept.isSettled = true;
        this.#owner.want(stream, recorded?.revision ?? 0);
        this.prune(stream);
        this.#owner.changed(stream);
      }
    }
  }

  /** Drops what is confirmed of a stream, once the states that show have come as far. */
  prune(stream: string): void {
    for (const kept of this.shown(stream) as Kept[]) {
      const { recorded } = kept.record;
      if (kept.isSettled && !(recorded && this.#owner.isBehind(stream, recorded.revision))) {
        this.#remove(kept);
        kept.acknowledged.resolve(recorded?.position ?? '');
        kept.confirmed.resolve();
      }
    }
  }

  /** Something else came first in a stream, and a state has come as far. */
  rebase(stream: string, etag: (ahead: number) => string, prediction: Prediction): void {
    this.#owner.rebased(rebase(stream, this.conflict(stream) ?? 0, this.shown(stream), etag, prediction));
  }

  /** Does what a state has made of a conflict, if that is the one that is there. Answers whether it was. */
  rebased({ stream, conflict, kept, refused }: Rebase): boolean {
    if (this.conflict(stream) !== conflict) {
      return false;
    }
    // It is over before anybody is told of it, who would rebase again.
    for (const entry of this.shown(stream)) {
      entry.conflict = undefined;
    }
    for (const [id, expected] of kept) {
      const entry = this.#kept.get(id);
      if (!entry || entry.stage === 'acknowledged') {
        continue;
      }
      if (expected !== undefined) {
        entry.record.expected = expected;
        this.#owner.stored(entry.record);
      }
    }
    for (const [id, error] of refused) {
      if (this.#kept.get(id)?.stage !== 'acknowledged') {
        this.refuse(id, error);
      }
    }
    (this.shown(stream) as Kept[]).forEach((entry) => this.#endConflict(entry));
    this.#owner.changed(stream);
    this.send();
    return true;
  }

  /**
   * The cursor says now of which log positions are. What was acknowledged before the overlay has forgotten: it is told again of what is
   * recorded in this log; what is recorded in another one begins anew.
   */
  placed(): void {
    for (const kept of [...this.#kept.values()]) {
      const { id, recorded } = kept.record;
      if (recorded && this.isOurs(recorded)) {
        kept.isSettled || this.#became(kept, { id, recorded });
      } else if (recorded) {
        this.#anew(kept);
      }
    }
    this.send();
  }

  /** The log is another one: what the old one had recorded is sent to it again. */
  reset(): void {
    this.#kept.forEach((kept) => this.#anew(kept));
    this.send();
  }

  /** Sends, from now on, what there is to send. Another tab may have ended a conflict, and this one not have heard of it. */
  begin(): void {
    const sending = new AbortController();
    this.#sending = sending;
    const forget = onAwake(() => this.#sender.awake());
    void aborted(sending.signal).then(forget);
    this.#kept.forEach((kept) => this.#endConflict(kept));
    this.send();
  }

  /** Leaves that to another tab. */
  stop(): void {
    this.#sending?.abort();
    this.#sending = undefined;
  }

  /** Nothing more comes of what was dispatched here. */
  end(error: Error): void {
    this.stop();
    for (const { acknowledged, confirmed } of this.#kept.values()) {
      acknowledged.reject(error);
      confirmed.reject(error);
    }
    this.#kept.clear();
  }

  send(): void {
    const signal = this.#sending?.signal;
    const number = signal ? this.#judge.nextIntent() : -1;
    const kept = number < 0 ? undefined : [...this.#kept.values()].find((kept) => kept.number === number);
    if (signal && kept) {
      if (kept.stage !== 'pending') {
        // A conflict that was found before it was known of which log is forgotten.
        kept.stage = 'pending';
        kept.conflict = undefined;
        this.#owner.changed(kept.record.stream);
      }
      void this.#send(kept, signal).then(() => this.send());
    }
  }

  /**
   * Whatever comes of it, the overlay is told. What is answered after this tab has stopped, whoever sends now is answered, too, and may be
   * answered otherwise: what was refused at first can be recorded later.
   */
  async #send(kept: Kept, signal: AbortSignal): Promise<void> {
    const { number } = kept;
    const isKept = (): boolean => this.#kept.get(kept.id) === kept;
    const answer = await this.#sender.send(kept, async () => (await this.#owner.leads()) && isKept(), signal);
    const isRefused = answer?.refusal !== undefined && answer.conflict === undefined;
    const counts = answer !== undefined && (!isRefused || ((await this.#owner.refuses([answer])) && isKept()));
    if (counts && !signal.aborted) {
      this.#owner.answered(answer);
      this.#became(kept, answer);
      void this.#awaitRebase(kept, signal);
    } else {
      this.#fate(kept, Fate.Unknown);
    }
    if (number !== kept.number) {
      this.#judge.became(number as number, Fate.Unknown); // It began anew meanwhile: the overlay waits for this one.
    }
  }

  /**
   * Where no state shows that could tell whether what is conditional still holds, it is refused. Other tabs, and pages that were just
   * loaded, have a while to show one.
   */
  async #awaitRebase({ conflict, refusal, record }: Kept, signal: AbortSignal): Promise<void> {
    const { stream } = record;
    const isOpen = (): boolean => !signal.aborted && conflict !== undefined && this.conflict(stream) === conflict;
    while (isOpen()) {
      await sleep(this.#settings.connectTimeoutMs, signal);
      if (!isOpen() || this.#owner.isShown(stream)) {
        continue;
      }
      const waiting = this.shown(stream).filter(({ record, stage }) => record.expected !== undefined && stage !== 'acknowledged');
      // The last first: the one that keeps the others back is the first.
      const answers = waiting.reverse().map(({ id }) => ({ id, refusal }));
      if ((await this.#owner.refuses(answers)) && isOpen()) {
        for (const answer of answers) {
          this.#owner.answered(answer);
          this.answered(answer);
        }
      }
    }
  }

  /** The intent that has made an event. What a command made in other streams says nothing of its own, which may be yet to come. */
  #madeBy({ commandid, subject }: CloudEvent): Kept | undefined {
    const kept = this.#kept.get(commandid as string);
    return kept && (kept.record.entity === undefined || kept.record.stream === subject) ? kept : undefined;
  }

  /** Whether a place is in the log that is followed, for all that is known. */
  isOurs({ position }: Recorded): boolean {
    const { epoch } = this.#judge;
    return epoch === '' || position.startsWith(`${epoch}-`);
  }

  #became(kept: Kept, { recorded, conflict, refusal }: Answer): void {
    if (!this.#kept.has(kept.id)) {
      // Its event came before the answer.
      this.#fate(kept, Fate.Unknown);
      return;
    }
    if (conflict !== undefined && kept.stage !== 'acknowledged') {
      kept.stage = 'conflicted';
      kept.conflict = conflict;
      kept.refusal = refusal;
      this.settle(this.#fate(kept, Fate.Conflict));
    } else if (refusal) {
      if (kept.stage === 'acknowledged') {
        return;
      }
      return this.refuse(kept.id, new HighwaterError(refusal.status, refusal.problem), Fate.Refused);
    } else if (recorded && !this.isOurs(recorded)) {
      this.#fate(kept, Fate.Unknown);
    } else if (recorded) {
      this.#endConflict(kept);
      kept.stage = 'acknowledged';
      kept.record.recorded = recorded;
      kept.acknowledged.resolve(recorded.position);
      this.#owner.stored(kept.record);
      const [, sequence] = recorded.position.split('-');
      this.settle(this.#fate(kept, Fate.Recorded, Number(sequence)));
    }
    this.#owner.changed(kept.record.stream);
  }

  /** Rolls an intent back. */
  refuse(id: string, error: Error, fate: Fate = Fate.GivenUp): void {
    const kept = this.#kept.get(id);
    if (!kept) {
      return;
    }
    const { stream, intent } = kept.record;
    this.#remove(kept, error);
    this.#fate(kept, fate);
    kept.acknowledged.reject(error);
    kept.confirmed.reject(error);
    this.#owner.changed(stream);
    this.#owner.refused({ id, stream, intent, error });
    this.send();
  }

  #endConflict(kept: Kept): void {
    if (kept.stage === 'conflicted') {
      kept.stage = 'pending';
      kept.conflict = undefined;
      this.settle(this.#fate(kept, Fate.Rebased));
      this.#owner.changed(kept.record.stream);
    }
  }

  /** Whatever became of it was in another log. */
  #anew(kept: Kept): void {
    kept.stage = 'pending';
    kept.conflict = undefined;
    if (kept.isSettled) {
      // The overlay has forgotten it.
      kept.isSettled = false;
      kept.number = undefined;
      this.#numberOf(kept);
    }
    delete kept.record.recorded;
    this.#owner.stored(kept.record);
    this.#owner.changed(kept.record.stream);
  }

  #fate(kept: Kept, fate: Fate, sequence?: number): Record[] {
    return this.#judge.became(this.#numberOf(kept), fate, sequence);
  }

  #numberOf(kept: Kept): number {
    if (kept.number === undefined) {
      const { stream } = kept.record;
      const lane = this.#lanes.get(stream) ?? this.#lanesMade++;
      this.#lanes.set(stream, lane);
      kept.number = this.#judge.intend(lane);
    }
    return kept.number;
  }

  #remove({ id, record }: Kept, error?: Error): void {
    this.#kept.delete(id);
    if (this.shown(record.stream).length === 0) {
      this.#lanes.delete(record.stream);
    }
    this.#owner.settled(record, error);
  }
}
