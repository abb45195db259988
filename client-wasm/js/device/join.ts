/**
 * The tabs of a device. One of them, the leader, holds a lock (Web Locks), has the connection and sends what is dispatched; the others are
 * given what it receives over a `BroadcastChannel`, and judge it as if it came from a network: what they miss they fetch. So nobody
 * has to trust the leader, and each tab has its own topics.
 *
 * Each reign has a term, above all before it. What a tab says or stores under a lower one is not heeded.
 */

import { type IntentRecord, newId } from '../intent.js';
import type { Rebase } from '../rebase.js';
import type { Answer } from '../sender.js';
import type { StoredState } from '../store.js';
import type { Device, Host } from './device.js';
import { Follower } from './follower.js';
import { Intents } from './intents.js';
import { Leader } from './leader.js';
import { Leadership } from './leadership.js';
import { Life } from './life.js';
import { type Asked, type Message, type Said, statusOf, told } from './messages.js';
import { Saver, topicsKey } from './saver.js';
import { type Kept, Storage, type StoredIntents } from './storage.js';

/** How often a tab that is looked at asks whether the leader is there. */
const PING_MS = 1_000;
/** Once in so many times it looks, too, whether the leader knows of it and of the same intents: what was said of that may be lost. */
const PINGS_TO_AGREE = 10;
/** So many questions without an answer, and the leader is frozen. */
const UNANSWERED_MAX = 3;

/** Joins the tabs of a device. `undefined` where a browser lacks what that takes, or can store nothing. */
export async function join(name: string, signal: AbortSignal, host: Host): Promise<Device | undefined> {
  const { navigator, BroadcastChannel, indexedDB } = globalThis as Partial<typeof globalThis>;
  if (!navigator?.locks || !BroadcastChannel || !indexedDB) {
    return undefined;
  }
  const device = `highwater ${host.settings.base.href} ${name}`;
  const storage = new Storage(device, (error) => host.storageFailed(error));
  const topics = topicsKey(host.connection.topics);
  const kept = (await storage.read(topics)) ?? (await storage.read(topics));
  if (signal.aborted || !kept) {
    if (!signal.aborted) {
      host.storageFailed(new Error(`the database of ${name} does not answer`));
    }
    void storage.close();
    return undefined;
  }
  return new Tab(device, storage, kept, host, signal);
}

class Tab implements Device {
  readonly actor: string;
  readonly #host: Host;
  readonly #storage: Storage;
  readonly #saver: Saver;
  readonly #intents: Intents;
  readonly #channel: BroadcastChannel;
  readonly #leadership: Leadership;
  readonly #follower: Follower;
  readonly #life: Life;
  readonly #signal: AbortSignal;
  /** Aborts when it leads no more. */
  #reigning = new AbortController();
  #leader: Leader | undefined;
  /** The highest that was heard of: its own, as long as it leads. */
  #term = 0;
  #unanswered = 0;
  #pings = 0;
  /** Whether it has a connection of its own, as the others have no room for its topics. What is dispatched is still the device's. */
  #isAlone = false;
  #isClosed = false;
  /** Whether anything was heard of the leader since the last question. */
  #isHeard = false;

  constructor(device: string, storage: Storage, kept: Kept, host: Host, signal: AbortSignal) {
    this.actor = kept.actor;
    this.#host = host;
    this.#storage = storage;
    this.#signal = signal;
    this.#life = new Life(device, newId(kept.intents.records.at(-1)?.id));
    const overtaken = (term: number): void => void (this.#leader && this.#isHighest(term));
    this.#saver = new Saver(host, storage, () => this.#term, overtaken);
    const tab = this;
    this.#intents = new Intents(host.outbox, storage, {
      get isLeader() {
        return tab.#leader !== undefined;
      },
      get term() {
        return tab.#term;
      },
      say: (said) => this.#say(said),
      ask: (asked) => this.#ask(asked),
      isHighest: (term) => this.#isHighest(term),
    });
    this.#channel = new BroadcastChannel(device);
    this.#leadership = new Leadership(device, { begin: () => void this.#lead(), end: () => this.#follow() });
    this.#follower = new Follower(
      host,
      this.#life.tab,
      (asked) => this.#ask(asked),
      () => this.#intents.sendAgain(),
      () => this.#leave(),
    );
    if (kept.cursor !== undefined && host.settings.resumes) {
      host.judge.start(kept.cursor);
    }
    host.outbox.restore(kept.intents.records);
    this.#intents.learn(kept.intents.refused);
    storage.renewed = () => this.#storeAll();
  }

  get role(): 'leader' | 'follower' | 'alone' {
    if (this.#isAlone) {
      return 'alone';
    }
    return this.#leader ? 'leader' : 'follower';
  }

  start(): void {
    const { connection, judge } = this.#host;
    const signal = this.#signal;
    judge.share(connection.topics);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#hear(data);
    void this.#begin();
    const pinging = setInterval(() => this.#ping(), PING_MS);
    const { document } = globalThis as Partial<typeof globalThis>;
    const pause = (): void => this.#leadership.pause();
    const resume = async (): Promise<void> => {
      this.#leadership.resume();
      await this.#life.begin();
      this.#follower.hello(); // It was told nothing meanwhile.
    };
    // What is frozen, or kept for when the user comes back, leads no one.
    document?.addEventListener('freeze', pause, { signal });
    document?.addEventListener('freeze', () => this.#storage.giveUp(), { signal });
    document?.addEventListener('resume', () => void resume(), { signal });
    globalThis.addEventListener?.('pagehide', pause, { signal });
    globalThis.addEventListener?.('pageshow', ({ persisted }) => void (persisted && resume()), { signal });
    document?.addEventListener('visibilitychange', () => void this.#saver.save(), { signal });
    signal.addEventListener('abort', () => clearInterval(pinging));
  }

  stateOf(key: string): Promise<StoredState | undefined> {
    return this.#storage.stateOf(key);
  }

  topicsChanged(): void {
    const { judge, connection } = this.#host;
    judge.share(connection.topics);
    if (this.#leader) {
      this.#leader.restart();
    } else if (this.#isAlone) {
      connection.restart();
    } else {
      this.#follower.hello();
    }
  }

  changed(): void {
    this.#saver.changed();
    this.#follower.moved();
  }

  statusChanged(): void {
    if (this.#leader) {
      this.#say({ kind: 'status' });
    }
  }

  madeRoom(): void {
    this.#follower.madeRoom();
  }

  dispatched(record: IntentRecord): Promise<void> {
    return this.#intents.dispatched(record);
  }

  answered(answer: Answer): void {
    this.#intents.answered(answer);
  }

  rebased(rebase: Rebase): void {
    void this.#intents.rebased(rebase);
  }

  stored(record: IntentRecord): void {
    this.#intents.stored(record);
  }

  settled(record: IntentRecord, error: Error | undefined): void {
    this.#intents.settled(record, error);
  }

  replaced(): void {
    this.#intents.replaced();
  }

  leads(): Promise<boolean> {
    return this.#intents.leads();
  }

  refuses(answers: readonly Answer[]): Promise<boolean> {
    return this.#intents.refuses(answers);
  }

  close(): void {
    this.#intents.flush();
    this.#leadership.pause();
    this.#follower.end();
    this.#saver.end();
    this.#isClosed = true;
    this.#channel.close();
    void this.#saver
      .save()
      .then(() => this.#storage.close())
      .then(() => this.#life.end());
  }

  /** Not before it holds its lock: a leader would think it gone. */
  async #begin(): Promise<void> {
    await this.#life.begin();
    if (!this.#isClosed) {
      this.#follower.begin();
      this.#leadership.ask();
    }
  }

  async #lead(): Promise<void> {
    const { outbox, connection } = this.#host;
    if (this.#isAlone) {
      this.#isAlone = false;
      connection.standBy(() => {});
    }
    const reigning = new AbortController();
    this.#reigning = reigning;
    this.#follower.end();
    if (this.#host.status.status !== 'connecting') {
      this.#host.changeStatus({ status: 'connecting' }); // What it was given has ended, and there is nothing of its own yet.
    }
    // At once: the others don't wait for long.
    const read = async (): Promise<StoredIntents | undefined> => (await this.#storage.intents()) ?? this.#storage.intents();
    const [term, stored, others] = await Promise.all([this.#storage.reign(this.#term), read(), this.#life.others()]);
    if (reigning.signal.aborted) {
      return;
    }
    this.#term = term > this.#term ? term : this.#term + 1;
    const leader = new Leader(
      this.#host,
      others,
      (said) => this.#say(said),
      () => void this.#intents.takeStored(),
    );
    this.#leader = leader;
    this.#intents.learn(stored?.refused ?? []);
    this.#intents.take(stored?.records ?? []);
    this.#intents.tell(stored?.records ?? []);
    await leader.gather(reigning.signal);
    if (!reigning.signal.aborted) {
      connection.followers = leader;
      outbox.begin();
      connection.open();
    }
  }

  #follow(): void {
    this.#reigning.abort();
    this.#leader?.end();
    this.#leader = undefined;
    this.#unanswered = 0;
    if (!this.#signal.aborted) {
      this.#host.outbox.stop();
      this.#follower.begin();
    }
  }

  /** Whether no tab has begun to lead under a term that is higher than that of this one. */
  #isHighest(term: number | undefined): boolean {
    const isHighest = term === undefined || term <= this.#term;
    if (!isHighest) {
      this.#abdicate(term);
    }
    return isHighest;
  }

  /** Another tab has begun to lead, under this term. */
  #abdicate(term: number): void {
    this.#term = term;
    this.#leadership.resign();
    this.#follower.renounce();
  }

  /** Has a connection of its own, as the others have no room for its topics. */
  #leave(): void {
    this.#follower.end();
    this.#isAlone = true;
    this.#host.connection.open();
  }

  #hear(message: Message): void {
    if (!('term' in message)) {
      return this.#asked(message);
    }
    if (message.term > this.#term) {
      this.#abdicate(message.term);
    }
    if (message.term < this.#term || this.#leader) {
      return;
    }
    this.#isHeard = true;
    const { outbox } = this.#host;
    switch (message.kind) {
      case 'intents':
        return this.#intents.take(message.records);
      case 'answered':
        return this.#intents.heard(message.answer);
      case 'rebase':
        return void outbox.rebased(message.rebase);
      default:
        this.#follower.hear(message, message.term, statusOf(message.status));
    }
  }

  #asked(asked: Asked): void {
    const leader = this.#leader;
    switch (asked.kind) {
      case 'ping':
        return leader && this.#say({ kind: 'pong' });
      case 'steals':
        this.#isHeard = true;
        return;
      case 'here':
        return void leader?.here(asked.tab, asked.topics);
      case 'hello':
        return leader?.hello(asked.tab, asked.topics);
      case 'send':
        // Whoever leads next has them, too.
        this.#intents.take(asked.records);
        return leader && this.#intents.tell(asked.records);
      case 'rebased':
        return leader && this.rebased(asked.rebase);
    }
  }

  #ping(): void {
    const { document } = globalThis as Partial<typeof globalThis>;
    this.#follower.remind();
    this.#pings += 1;
    if (this.#pings % PINGS_TO_AGREE === 0) {
      this.#follower.here();
      this.#intents.agree();
    }
    if (this.#leader || this.#isHeard || document?.visibilityState === 'hidden') {
      this.#unanswered = 0;
      this.#isHeard = false;
    } else if (this.#unanswered >= UNANSWERED_MAX) {
      this.#unanswered = 0;
      this.#ask({ kind: 'steals' });
      this.#leadership.steal();
    } else {
      this.#unanswered += 1;
      this.#ask({ kind: 'ping' });
    }
  }

  /** The database has begun anew. */
  #storeAll(): void {
    this.#saver.forget();
    void this.#storage.keep(this.actor, this.#leader && this.#term);
    if (this.#leader) {
      this.#intents.storeAll();
    }
  }

  #say(said: Said): void {
    this.#post({ ...said, term: this.#term, status: told(this.#host.status) });
  }

  #ask(asked: Asked): void {
    this.#post(asked);
  }

  #post(message: Message): void {
    if (!this.#isClosed) {
      this.#channel.postMessage(message);
    }
  }
}
