/**
 * The tabs of a device. One of them, the leader, holds a lock (Web Locks), has the connection and sends what is dispatched; the others are
 * given what it receives over a `BroadcastChannel`, and judge it as if it came from a network: what they miss they fetch. So nobody
 * has to trust the leader, and each tab has its own topics.
 *
 * Each reign has a term, above all before it. What a tab says or stores under a lower one is not heeded.
 */

import { type IntentRecord, newId } from '../intent.js';
import type { Answer, Rebase } from '../outbox.js';
import type { StoredState } from '../store.js';
import type { Device, Host } from './device.js';
import { Follower } from './follower.js';
import { Leader } from './leader.js';
import { Leadership } from './leadership.js';
import type { Asked, Message, Said } from './messages.js';
import { Saver, topicsKey } from './saver.js';
import { type Kept, Storage } from './storage.js';

/** How often a tab that is looked at asks whether the leader is there. */
const PING_MS = 1_000;
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
  const kept = await storage.read(topicsKey(host.connection.topics));
  if (signal.aborted || !kept) {
    storage.close();
    return undefined;
  }
  return new Tab(device, storage, kept, host, signal);
}

class Tab implements Device {
  readonly actor: string;
  readonly #device: string;
  readonly #host: Host;
  readonly #storage: Storage;
  readonly #saver: Saver;
  readonly #channel: BroadcastChannel;
  readonly #leadership: Leadership;
  readonly #follower: Follower;
  /** The name of this tab, and of the lock that it holds as long as it lives. */
  readonly #name: string;
  readonly #signal: AbortSignal;
  /** Aborts when it leads no more. */
  #reigning = new AbortController();
  #leader: Leader | undefined;
  /** The highest that was heard of. */
  #term = 0;
  /** The one under which it speaks when it leads: also after it has heard of a higher one, until it knows that it leads no more. */
  #ownTerm = 0;
  #unanswered = 0;
  /** Whether anything was heard of the leader since the last question. */
  #isHeard = false;

  constructor(device: string, storage: Storage, kept: Kept, host: Host, signal: AbortSignal) {
    this.actor = kept.actor;
    this.#device = device;
    this.#host = host;
    this.#storage = storage;
    this.#signal = signal;
    this.#name = `${device} ${newId(kept.intents.at(-1)?.id)}`;
    this.#saver = new Saver(host, storage, () => this.#term);
    this.#channel = new BroadcastChannel(device);
    this.#leadership = new Leadership(device, { begin: () => void this.#lead(), end: () => this.#follow() });
    this.#follower = new Follower(
      host,
      this.#name,
      (asked) => this.#ask(asked),
      () => this.#leave(),
    );
    if (kept.cursor !== undefined && host.settings.resumes) {
      host.judge.start(kept.cursor);
    }
    this.#take(kept.intents);
    storage.renewed = () => this.#storeAll();
  }

  get role(): 'leader' | 'follower' {
    return this.#leader ? 'leader' : 'follower';
  }

  start(): void {
    const { connection, judge } = this.#host;
    const signal = this.#signal;
    judge.share(connection.topics);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#hear(data);
    void navigator.locks.request(this.#name, () => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))).catch(() => {});
    this.#follower.begin();
    this.#leadership.ask();
    const pinging = setInterval(() => this.#ping(), PING_MS);
    const { document } = globalThis as Partial<typeof globalThis>;
    const pause = (): void => this.#leadership.pause();
    const resume = (): void => this.#leadership.resume();
    // What is frozen, or kept for when the user comes back, leads no one.
    document?.addEventListener('freeze', pause, { signal });
    document?.addEventListener('freeze', () => this.#storage.giveUp(), { signal });
    document?.addEventListener('resume', resume, { signal });
    globalThis.addEventListener?.('pagehide', pause, { signal });
    globalThis.addEventListener?.('pageshow', ({ persisted }) => persisted && resume(), { signal });
    document?.addEventListener('visibilitychange', () => void this.#saver.save(), { signal });
    signal.addEventListener('abort', () => clearInterval(pinging));
  }

  stateOf(key: string): Promise<StoredState | undefined> {
    return this.#storage.stateOf(key);
  }

  topicsChanged(): void {
    this.#host.judge.share(this.#host.connection.topics);
    if (this.#leader) {
      this.#leader.restart();
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
      this.#say({ kind: 'status', status: this.#host.status });
    }
  }

  madeRoom(): void {
    this.#follower.madeRoom();
  }

  async dispatched(record: IntentRecord): Promise<void> {
    await this.#storage.putIntent(record);
    this.#host.outbox.enqueue(record.id);
    if (this.#leader) {
      this.#say({ kind: 'intents', records: [record] });
    } else {
      this.#ask({ kind: 'intent', record });
    }
  }

  answered(answer: Answer): void {
    this.#say({ kind: 'answered', answer });
  }

  rebased(rebase: Rebase): void {
    this.#ask({ kind: 'rebased', rebase });
  }

  stored(record: IntentRecord, isSettled: boolean): void {
    if (this.#leader) {
      void (isSettled ? this.#storage.deleteIntent(record.id) : this.#storage.putIntent(record));
    }
  }

  close(): void {
    this.#ask({ kind: 'bye', tab: this.#name });
    this.#leadership.pause();
    this.#follower.end();
    this.#saver.end();
    this.#channel.close();
    void this.#saver.save().then(() => this.#storage.close());
  }

  async #lead(): Promise<void> {
    const { outbox, connection } = this.#host;
    const reigning = new AbortController();
    this.#reigning = reigning;
    this.#follower.end();
    // At once: the others don't wait for long.
    const [term, records, others] = await Promise.all([this.#storage.reign(this.#term), this.#storage.intents(), tabsOf(this.#device)]);
    if (reigning.signal.aborted) {
      return;
    }
    this.#term = Math.max(term, this.#term + 1);
    this.#ownTerm = this.#term;
    const leader = new Leader(
      this.#host,
      others.filter((tab) => tab !== this.#name),
      (said) => this.#say(said),
      () => this.#leadership.resign(),
    );
    this.#leader = leader;
    this.#take(records);
    this.#say({ kind: 'intents', records });
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

  /** Goes on without the others, which have no room for it. */
  #leave(): void {
    this.#follower.end();
    this.#leadership.pause();
    this.#host.connection.open();
  }

  #hear(message: Message): void {
    if (!('term' in message)) {
      return this.#asked(message);
    }
    if (message.term > this.#term) {
      this.#term = message.term;
      this.#leadership.resign();
      this.#ask({ kind: 'here', tab: this.#name, topics: this.#host.connection.topics });
    }
    if (message.term < this.#term || this.#leader) {
      return;
    }
    this.#isHeard = true;
    if (message.kind === 'intents') {
      this.#take(message.records);
    } else if (message.kind === 'answered') {
      this.#host.outbox.answered(message.answer);
    } else {
      this.#follower.hear(message);
    }
  }

  #asked(asked: Asked): void {
    const leader = this.#leader;
    if (asked.kind === 'rebased') {
      this.#host.outbox.rebased(asked.rebase);
    } else if (asked.kind === 'steals') {
      this.#isHeard = true;
    } else if (leader) {
      switch (asked.kind) {
        case 'ping':
          return this.#say({ kind: 'pong' });
        case 'here':
          return leader.here(asked.tab, asked.topics);
        case 'hello':
          return leader.hello(asked.tab, asked.topics);
        case 'bye':
          return leader.bye(asked.tab);
        case 'intent':
          this.#take([asked.record]);
          return this.#say({ kind: 'intents', records: [asked.record] });
      }
    }
  }

  #ping(): void {
    const { document } = globalThis as Partial<typeof globalThis>;
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

  #take(records: readonly IntentRecord[]): void {
    const { outbox } = this.#host;
    for (const record of records) {
      if (!outbox.has(record.id) && outbox.add(record)) {
        outbox.enqueue(record.id);
      }
    }
  }

  /** The database has begun anew. */
  #storeAll(): void {
    this.#saver.forget();
    if (this.#leader) {
      void this.#storage.reign(this.#term - 1);
      this.#host.outbox.records().forEach((record) => void this.#storage.putIntent(record));
    }
  }

  #say(said: Said): void {
    this.#channel.postMessage({ ...said, term: this.#ownTerm });
  }

  #ask(asked: Asked): void {
    this.#channel.postMessage(asked);
  }
}

/** The tabs of a device, by the locks that they hold. */
async function tabsOf(device: string): Promise<string[]> {
  const { held = [] } = await navigator.locks.query();
  return held.map(({ name = '' }) => name).filter((name) => name.startsWith(`${device} `));
}
