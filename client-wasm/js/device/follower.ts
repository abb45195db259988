/** What a tab does that does not lead: it judges what the leader is sent. */

import { HighwaterError, toError } from '../error.js';
import { PageKind } from '../judge.js';
import { readLogPage } from '../requests.js';
import { backoffMs, sleep, whileHeard } from '../timing.js';
import type { StatusChange } from '../types.js';
import type { Host } from './device.js';
import type { Asked, Said } from './messages.js';

/** With less room it would take no more again soon. */
const MUCH_ROOM = 0.5;

export class Follower {
  readonly #host: Host;
  readonly #tab: string;
  readonly #ask: (asked: Asked) => void;
  readonly #began: () => void;
  readonly #leave: () => void;
  /** Aborts when it does not follow any more. */
  #following: AbortController | undefined;
  /** Whether the server takes its topics: one that refuses them must not refuse what the leader asks for, too. */
  #isFit = false;
  /** The leader's connection that it is given, and the term that it is of. */
  #attached: string | undefined;
  /** Whether the leader has been asked, and has not answered. */
  #isAsking = false;
  /** Whether what it was given did not fit, and it waits before it asks again. */
  #isAdrift = false;
  /** Whether it takes no more for now. */
  #isCrowded = false;
  /** Where what it is given begins, or nothing where the frames say so; until it has come as far, it is not live. */
  #begins: string | undefined;
  #status: StatusChange = { status: 'connecting' };
  /** In a row. */
  #failures = 0;

  /** `ask` tells the leader, `began` is called when that gives it something from a new beginning, `leave` makes it a client alone. */
  constructor(host: Host, tab: string, ask: (asked: Asked) => void, began: () => void, leave: () => void) {
    this.#host = host;
    this.#tab = tab;
    this.#ask = ask;
    this.#began = began;
    this.#leave = leave;
  }

  begin(): void {
    this.end();
    const following = new AbortController();
    this.#following = following;
    this.#host.connection.standBy(() => void this.#adrift(following.signal));
    this.#show({ status: 'connecting' });
    void this.#enter(following.signal);
  }

  end(): void {
    this.#following?.abort();
    this.#following = undefined;
    this.#attached = undefined;
    this.#isFit = false;
    this.#isAdrift = false;
    this.#begins = undefined;
  }

  /** Asks the leader to be given what is of its topics. */
  hello(): void {
    this.#attached = undefined;
    if (this.#following && this.#isFit) {
      this.#isAsking = true;
      this.#ask({ kind: 'hello', tab: this.#tab, topics: this.#host.connection.topics });
    }
  }

  /** Another leads: it is given nothing until that one says where its connection begins. */
  renounce(): void {
    this.#attached = undefined;
    this.here();
  }

  /** Says that it is there. One that leads and does not know says nothing to it. */
  here(): void {
    if (this.#following && this.#isFit) {
      this.#ask({ kind: 'here', tab: this.#tab, topics: this.#host.connection.topics });
    }
  }

  /** Asks once more where an answer may have been lost. */
  remind(): void {
    if (this.#attached === undefined && !this.#isCrowded && !this.#isAdrift) {
      this.hello();
    }
  }

  /** `status` is how the leader's connection stands. */
  hear(said: Said, term: number, status: StatusChange): void {
    if (this.#following) {
      this.#take(said, term, status);
      if (status.status !== this.#status.status) {
        this.#show(status);
      }
    }
  }

  /** Its cursor may have moved. */
  moved(): void {
    if (this.#begins !== undefined && this.#hasBegun) {
      this.#begins = undefined;
      this.#failures = 0;
      this.#show(this.#status);
    }
  }

  madeRoom(): void {
    if (this.#isCrowded && this.#host.hasRoom(MUCH_ROOM)) {
      this.#isCrowded = false;
      this.hello();
    }
  }

  #take(said: Said, term: number, status: StatusChange): void {
    const { connection } = this.#host;
    switch (said.kind) {
      case 'began': {
        const isCovered = connection.topics.every((topic) => said.topics.includes(topic));
        return isCovered && this.#isFit ? this.#attach(`${term} ${said.connection}`, said.after, status) : this.hello();
      }
      case 'welcome':
        return said.to === this.#tab ? this.#attach(`${term} ${said.connection}`, said.after, status) : undefined;
      case 'full':
        return said.to === this.#tab ? this.#leave() : undefined;
      case 'frames':
        return this.#given(`${term} ${said.connection}`, status, () => connection.chunk(said.frames));
      case 'page':
        return this.#given(`${term} ${said.connection}`, status, () => connection.page(said.page, PageKind.Poll));
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    const { settings, connection } = this.#host;
    // A page that is being frozen may ask for nothing; this comes to pass when it isn't any more.
    await sleep(0, signal);
    for (let failures = 0; !signal.aborted && !this.#isFit; failures += 1) {
      try {
        await whileHeard(settings.connectTimeoutMs, signal, (progress) => readLogPage(settings, connection.topics, 'latest', progress));
        this.#isFit = !signal.aborted;
      } catch (thrown) {
        const error = toError(thrown);
        if (!signal.aborted && error instanceof HighwaterError && !error.retryable && error.status !== 401) {
          return this.#host.changeStatus({ status: 'failed', error });
        }
        await sleep(backoffMs(failures, settings.backoffBaseMs, settings.backoffMaxMs), signal);
      }
    }
    this.hello();
  }

  #attach(connection: string, after: string, status: StatusChange): void {
    this.#attached = connection;
    this.#isAsking = false;
    this.#isAdrift = false;
    this.#isCrowded = false;
    this.#begins = after.includes('-') ? after : '';
    this.#host.connection.begin(this.#begins);
    this.#show(status);
    this.#began();
  }

  /** A connection brings something. */
  #given(connection: string, status: StatusChange, take: () => void): void {
    if (this.#isGiven(connection)) {
      take();
      if (this.#attached !== undefined && this.#begins === '' && status.status === 'live') {
        this.hello(); // What said where that begins was lost.
      }
    }
  }

  /** Whether it takes what a connection brings. What it can't take is fetched later. */
  #isGiven(connection: string): boolean {
    if (this.#attached !== connection && !this.#isAsking && !this.#isCrowded && !this.#isAdrift) {
      this.hello(); // It has missed where that begins.
    }
    if (this.#attached === connection && !this.#host.hasRoom()) {
      this.#attached = undefined;
      this.#isCrowded = true;
    }
    return this.#attached === connection;
  }

  /** What it is given does not fit, or what is missing could not be fetched. */
  async #adrift(signal: AbortSignal): Promise<void> {
    const { backoffBaseMs, backoffMaxMs } = this.#host.settings;
    this.#attached = undefined;
    this.#isAdrift = true;
    this.#failures += 1;
    await sleep(backoffMs(this.#failures, backoffBaseMs, backoffMaxMs), signal);
    if (!signal.aborted && this.#isAdrift) {
      this.#isAdrift = false;
      this.hello();
    }
  }

  get #hasBegun(): boolean {
    const { cursor } = this.#host.judge;
    if (!this.#begins) {
      return this.#begins === undefined || cursor !== undefined;
    }
    const [epoch, sequence] = this.#begins.split('-');
    const [ours, reached] = (cursor ?? '').split('-');
    return epoch === ours && Number(sequence) <= Number(reached);
  }

  get #whereLeaderIsLive(): StatusChange {
    if (this.#attached === undefined && !this.#isCrowded) {
      return { status: 'connecting' }; // It is given nothing.
    }
    return { status: this.#hasBegun ? 'live' : 'replaying' };
  }

  /** Shows how the leader's connection stands. */
  #show(status: StatusChange): void {
    this.#status = status;
    const shown = status.status === 'live' ? this.#whereLeaderIsLive : status;
    if (this.#following && shown.status !== this.#host.status.status) {
      this.#host.changeStatus(shown);
    }
  }
}
