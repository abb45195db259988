/** Tabs of one device in one process: what they take for their browser is of the world that is there. */

import { EPOCH, position } from '../log_server.js';
import { Channels } from './channels.js';
import { Databases } from './database.js';
import { Locks } from './locks.js';
import { matches, Server } from './server.js';
import { World } from './world.js';

export const STREAMS = ['test:a', 'test:b', 'test:c'];
const TOPICS = [['test:a'], ['test:b'], ['test:a', 'test:c'], ['test:**']];
const BEGINNING = position(0);
/** From the beginning, from now on, or from where the device is. */
const AFTER = [BEGINNING, 'latest', undefined];

/** Whose code runs finds what is of this one. */
let device;

/** Puts fakes in the places of what a browser has; the function that it returns takes them away. */
export function install() {
  const { setTimeout, setInterval, clearTimeout, clearInterval, BroadcastChannel } = globalThis;
  const [{ now }, { random }, { Instance }] = [Date, Math, WebAssembly];
  const clearTimer = (id) => device.world.clearTimer(id);
  Object.assign(globalThis, {
    setTimeout: (run, delayMs) => device.world.setTimer(delayMs, run),
    setInterval: (run, everyMs) => device.world.setTimer(everyMs, run, device.world.current, everyMs),
    clearTimeout: clearTimer,
    clearInterval: clearTimer,
    indexedDB: { open: (name) => device.databases.open(name) },
    IDBKeyRange: { bound: (lower, upper) => ({ lower, upper }) },
    BroadcastChannel: function open(name) {
      return device.channels.open(name);
    },
  });
  const locks = { request: (...all) => device.locks.request(...all), query: () => device.locks.query() };
  const navigator = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { locks } });
  Date.now = () => Math.floor(device.world.now);
  Math.random = () => device.world.random(2 ** 31) / 2 ** 31;
  WebAssembly.Instance = function start(module) {
    const { exports } = new Instance(module);
    const watched = (name) => (...all) => {
      device.isFed();
      return exports[name](...all);
    };
    return { exports: { ...exports, received: watched('received'), fetched: watched('fetched') } };
  };
  return () => {
    Object.assign(globalThis, { setTimeout, setInterval, clearTimeout, clearInterval, BroadcastChannel });
    Object.assign(Date, { now });
    Object.assign(Math, { random });
    WebAssembly.Instance = Instance;
    delete globalThis.indexedDB;
    delete globalThis.IDBKeyRange;
    delete globalThis.navigator;
    if (navigator) {
      Object.defineProperty(globalThis, 'navigator', navigator);
    }
  };
}

/** A tab, and what its client has told. */
class Tab {
  isFrozen = false;
  told = [];
  /** What its user has meant, and what became of that. */
  meant = [];
  /** The log that it follows. */
  epoch = EPOCH;
  /** How far the log was when it was live for the first time. */
  liveAt;
  /** The term and the connection that it was fed by last. */
  fedBy = [0, 0];

  constructor(number, topics, after) {
    Object.assign(this, { number, topics, after });
  }
}

/** Each tab tells all that its topics match, once and in order; and whoever feeds it, nobody does from before that. A term is one tab's. */
export class Device {
  /** The tabs that are there. */
  tabs = [];
  #connect;
  #opened = 0;
  #failure;

  constructor(connect, seed) {
    device = this;
    this.#connect = connect;
    this.world = new World(seed);
    this.locks = new Locks(this.world);
    this.channels = new Channels(this.world);
    this.databases = new Databases(this.world);
    this.server = new Server(this.world);
  }

  async open(topics = this.world.pick(TOPICS), after = this.world.pick(AFTER)) {
    this.#opened += 1;
    const tab = new Tab(this.#opened, topics, after);
    this.tabs.push(tab);
    await this.world.run(tab, 'open', () => {
      const options = { url: 'http://server', name: 'device', topics: tab.topics, fetch: this.server.fetch, backoffMaxMs: 2_000 };
      tab.client = this.#connect(tab.after === undefined ? options : { ...options, after: tab.after });
      tab.client.on('event', ({ event }) => this.#told(tab, Number(event.sequence)));
      tab.client.on('reset', ({ position }) => this.#reset(tab, position));
      for (const kind of ['lost', 'unreadable']) {
        tab.client.on(kind, (told) => this.#fail(`tab ${tab.number} told ${kind}: ${JSON.stringify(told)}`));
      }
      tab.client.on('status', ({ status, error }) => this.#status(tab, status, error));
    });
  }

  /** A user means something; what is returned says, later on, what became of it. */
  async dispatch(tab, stream = this.world.pick(STREAMS.filter((stream) => tab.topics.some((topic) => matches(topic, stream))))) {
    const meant = { stream, isAcknowledged: false, became: undefined };
    tab.meant.push(meant);
    await this.world.run(tab, 'dispatch', () => {
      const store = tab.client.state(stream, { initial: 0, reduce: (count) => count + 1 });
      const { id, acknowledged, confirmed } = store.dispatch({ type: 'test.meant.v1' });
      meant.id = id;
      store.close();
      const is = (change) => () => Object.assign(meant, change);
      acknowledged.then(is({ isAcknowledged: true }), () => {});
      confirmed.then(is({ became: 'confirmed' }), is({ became: 'refused' }));
    });
    return meant;
  }

  /** A tab is gone, in the middle of whatever it did. */
  kill(tab) {
    this.world.trace.push(`- ${tab.number} kill`);
    this.tabs = this.tabs.filter((other) => other !== tab);
    for (const part of [this.channels, this.server, this.databases, this.locks, this.world]) {
      part.forget(tab);
    }
  }

  /** A user closes a tab's client. */
  async close(tab) {
    this.tabs = this.tabs.filter((other) => other !== tab);
    await this.world.run(tab, 'close', () => tab.client.close());
  }

  /** What a tab was given, its client takes. */
  isFed() {
    const { given } = this.channels;
    const tab = this.world.current;
    if (!given) {
      return;
    }
    const [term, connection] = tab.fedBy;
    if (given.term < term || (given.term === term && given.connection < connection)) {
      this.#fail(`tab ${tab.number} is fed by ${given.term} ${given.connection} after ${term} ${connection}`);
    }
    if (this.server.isRead(tab)) {
      this.#fail(`tab ${tab.number} has a connection, and is fed by that of another`);
    }
    tab.fedBy = [given.term, given.connection];
  }

  /** What a tab has yet to tell. */
  owed({ topics, told, after, liveAt }) {
    return this.server.of(topics, told.at(-1) ?? (after === BEGINNING ? 0 : (liveAt ?? this.server.log.length)));
  }

  get isDone() {
    return this.tabs.every((tab) => tab.client.status === 'live' && this.owed(tab).length === 0);
  }

  /** Whether each tab knows what became of all that it meant, and nothing is stored that is still to be sent, but where all tabs are alone. */
  get isSettled() {
    const isShared = this.tabs.some(({ client }) => client.role !== 'alone');
    return !(isShared && this.databases.of('intents').some(({ intent }) => intent !== undefined)) && this.tabs.every(({ meant }) => meant.every(({ became }) => became !== undefined));
  }

  /** What is still to come, in words. */
  left() {
    const unsettled = (tab) => tab.meant.filter(({ became }) => became === undefined).map(({ id }) => id);
    const tabs = this.tabs.map((tab) => `tab ${tab.number} (${tab.client.role}, ${tab.client.status}) has yet to tell ${this.owed(tab).map(({ sequence }) => sequence)} and what became of ${unsettled(tab)}`);
    return [...tabs, `${this.databases.of('intents').map(({ id }) => id)} are stored`].join('\n');
  }

  check() {
    for (const [term, { size }] of this.channels.speakers) {
      if (size > 1) {
        this.#fail(`${size} tabs speak under term ${term}`);
      }
    }
    if (this.#failure) {
      throw this.#failure;
    }
  }

  #told(tab, sequence) {
    const isFirst = tab.told.length === 0 && tab.after !== BEGINNING;
    const [next] = isFirst ? this.server.of(tab.topics, sequence - 1) : this.owed(tab);
    const isLate = isFirst && tab.liveAt !== undefined && this.server.of(tab.topics, tab.liveAt)[0]?.sequence < sequence;
    if (next?.sequence !== sequence || isLate) {
      this.#fail(`tab ${tab.number} (${tab.topics} after ${tab.after}) told ${sequence} after ${tab.told}, live at ${tab.liveAt}`);
    }
    tab.told.push(sequence);
  }

  #reset(tab, position) {
    if (tab.epoch === this.server.epoch || position !== `${this.server.epoch}-0`) {
      this.#fail(`tab ${tab.number} told a reset to ${position} after one to ${tab.epoch}`);
    }
    Object.assign(tab, { epoch: this.server.epoch, after: BEGINNING, told: [] });
  }

  #status(tab, status, error) {
    if (status === 'failed') {
      this.#fail(`tab ${tab.number} failed: ${error}`);
    }
    if (status === 'live') {
      tab.liveAt ??= this.server.log.length;
    }
  }

  #fail(reason) {
    this.#failure ??= new Error(reason);
  }
}
