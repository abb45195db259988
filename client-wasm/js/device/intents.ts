/** What all tabs of a device mean: each keeps all of it, whoever leads sends it, and the database has it for tabs that come later. */

import { HighwaterError } from '../error.js';
import type { IntentRecord } from '../intent.js';
import type { Outbox } from '../outbox.js';
import type { Rebase } from '../rebase.js';
import type { Answer } from '../sender.js';
import type { Asked, Said } from './messages.js';
import { Settled } from './settled.js';
import type { Storage } from './storage.js';

/** The tab, as its intents see it. */
export interface Owner {
  readonly isLeader: boolean;
  /** The highest that it has heard of. */
  readonly term: number;
  say(said: Said): void;
  ask(asked: Asked): void;
  /** Whether no tab has begun to lead under a term that is higher than that of this one; where one has, this one leads no more. */
  isHighest(term: number | undefined): boolean;
}

export class Intents {
  readonly #outbox: Outbox;
  readonly #storage: Storage;
  readonly #owner: Owner;
  readonly #settled = new Settled();
  /** Whether something could not be stored, as another tab had the database under way. */
  #isUnstored = false;

  constructor(outbox: Outbox, storage: Storage, owner: Owner) {
    this.#outbox = outbox;
    this.#storage = storage;
    this.#owner = owner;
  }

  /** Stores an intent before it is sent. */
  async dispatched(record: IntentRecord): Promise<void> {
    await this.#put(record);
    this.#outbox.enqueue(record.id);
    if (this.#owner.isLeader) {
      this.#owner.say({ kind: 'intents', records: [record] });
    } else {
      // What was meant before it in its stream is to come first, whatever the leader has heard of that.
      const records = this.#outbox.queued().filter(({ stream, recorded }) => stream === record.stream && !recorded);
      this.#owner.ask({ kind: 'send', records });
    }
  }

  /** The leader decides: what it sends must not be refused meanwhile. */
  async rebased(rebase: Rebase): Promise<void> {
    const refused = rebase.refused.map(([id, error]) => ({ id, refusal: refusalOf(error) }));
    if (!(await this.refuses(refused))) {
      return this.#owner.ask({ kind: 'rebased', rebase });
    }
    if (this.#outbox.rebased(rebase)) {
      this.#owner.say({ kind: 'rebase', rebase });
    }
    this.#storeAsIs(refused.filter(({ id }) => this.#outbox.has(id)));
  }

  /** Stores that these are refused, before anybody is told; answers whether this tab leads, and it is for it to say. */
  async refuses(answers: readonly Answer[]): Promise<boolean> {
    if (!this.#owner.isLeader) {
      return false;
    }
    const term = await this.#storage.change(this.#owner.term, [], answers);
    this.#isUnstored ||= term === undefined;
    this.#storeAsIs(answers.filter(({ id }) => !this.#outbox.has(id)));
    return this.#owner.isHighest(term) && this.#owner.isLeader;
  }

  /** They were not to be refused after all. */
  #storeAsIs(answers: readonly Answer[]): void {
    const ids = new Set(answers.map(({ id }) => id));
    if (ids.size > 0 && this.#owner.isLeader) {
      const isOne = ({ id }: { readonly id: string }): boolean => ids.has(id);
      void this.#store(this.#outbox.queued().filter(isOne), this.#settled.all().filter(isOne));
    }
  }

  /** Whether this tab leads. One that hung may be told last of all that another does: the database knows it first. */
  async leads(): Promise<boolean> {
    return this.#owner.isLeader && this.#owner.isHighest(await this.#storage.term()) && this.#owner.isLeader;
  }

  /** The server has answered one, as this tab leads. */
  answered(answer: Answer): void {
    this.#owner.say({ kind: 'answered', answer });
  }

  /** One is recorded, begins anew, or expects something else. */
  stored(record: IntentRecord): void {
    if (this.#owner.isLeader) {
      void this.#store([record], []);
    }
  }

  /** One is settled; refused where there is an error. */
  settled({ id, recorded }: IntentRecord, error: Error | undefined): void {
    const answer: Answer = error ? { id, refusal: refusalOf(error) } : { id, ...(recorded && { recorded }) };
    this.#settled.add(answer);
    if (this.#owner.isLeader) {
      void this.#store([], [answer]);
      if (answer.recorded) {
        this.answered(answer); // Its event may have come before the answer, and be none that another tab follows.
      }
    }
  }

  /** The leader was answered. */
  heard(answer: Answer): void {
    const { id, recorded, conflict } = answer;
    if (this.#outbox.has(id)) {
      this.#outbox.answered(answer);
    } else if (conflict === undefined && (!recorded || this.#outbox.isOurs(recorded))) {
      this.#settled.add(answer);
    }
  }

  /** The log is another one, or it is known now which it is: of what was recorded in another, the leader knows more. */
  replaced(): void {
    this.#settled.reset();
    this.sendAgain();
  }

  /** These were refused, by what is stored. */
  learn(refused: readonly Answer[]): void {
    refused.filter(({ id }) => !this.#settled.has(id)).forEach((answer) => this.heard(answer));
  }

  /** Takes those of other tabs, and of tabs that were before, as far as there is room. */
  take(records: readonly IntentRecord[]): void {
    for (const record of records) {
      const { id, recorded } = record;
      if (this.#outbox.has(id)) {
        if (recorded && !this.#owner.isLeader) {
          this.#outbox.answered({ id, recorded }); // What was said of it, this tab may not have heard, or not known the log of.
        }
      } else if (!this.#settled.has(id) && this.#outbox.add(record)) {
        this.#outbox.enqueue(id);
      }
    }
  }

  /** As the leader, says what is known of these: that they are there, where their stream was found to be, or what became of them. */
  tell(asked: readonly IntentRecord[]): void {
    const ids = new Set(asked.map(({ id }) => id));
    this.#owner.say({ kind: 'intents', records: this.#outbox.queued().filter(({ id }) => ids.has(id)) });
    for (const { id, stream } of asked) {
      const conflict = this.#outbox.shown(stream).find((shown) => shown.id === id)?.conflict;
      if (conflict !== undefined) {
        this.answered({ id, conflict });
      }
    }
    const settled = this.#settled.all().filter(({ id }) => ids.has(id));
    settled.forEach((answer) => this.answered(answer));
    if (settled.length > 0) {
      void this.#store([], settled);
    }
  }

  /** Whoever leads sends what it does not know, and says what it does: of what became of it this tab may not have heard. */
  sendAgain(): void {
    const records = this.#outbox.queued();
    if (!this.#owner.isLeader && records.length > 0) {
      this.#owner.ask({ kind: 'send', records });
    }
  }

  /** What got lost between this tab, the leader and the database, is not lost for long, if this is called now and then. */
  agree(): void {
    this.sendAgain();
    this.flush();
    if (this.#owner.isLeader) {
      void this.takeStored();
    }
  }

  /** Stores what could not be stored before. */
  flush(): void {
    if (this.#isUnstored && this.#owner.isLeader) {
      this.storeAll();
    } else if (this.#isUnstored) {
      this.#isUnstored = false;
      this.#outbox.queued().forEach((record) => void this.#put(record));
    }
  }

  /** What a tab dispatched that is gone, it may have stored without having told anybody. */
  async takeStored(): Promise<void> {
    const stored = await this.#storage.intents();
    if (stored && this.#owner.isLeader) {
      const { records, refused } = stored;
      this.learn(refused);
      const others = records.filter(({ id }) => !this.#outbox.has(id));
      this.take(others);
      if (others.length > 0) {
        this.tell(others);
      }
    }
  }

  /** As the leader, stores all that is known. */
  storeAll(): void {
    this.#isUnstored = false;
    void this.#store(this.#outbox.queued(), this.#settled.all());
  }

  async #put(record: IntentRecord): Promise<void> {
    const isStored = await this.#storage.putIntent(record);
    this.#isUnstored ||= !isStored;
  }

  async #store(kept: readonly IntentRecord[], settled: readonly Answer[]): Promise<void> {
    const term = await this.#storage.change(this.#owner.term, kept, settled);
    this.#isUnstored ||= term === undefined;
    this.#owner.isHighest(term);
  }
}

/** As the server would say it, where a prediction failed on top of what came first. */
function refusalOf(error: Error): NonNullable<Answer['refusal']> {
  return error instanceof HighwaterError ? { status: error.status, problem: error.problem } : { status: 412, problem: undefined };
}
