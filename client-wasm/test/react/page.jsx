/** A document for React, and a log whose client its components are given. */

import assert from 'node:assert/strict';
import nodeTest from 'node:test';

import { Window } from 'happy-dom';
import { Component, version } from 'react';

import { HighwaterProvider } from '../../dist/react.js';
import { append, Log, ready, refuse, serve } from '../log_server.js';
import { watch } from '../watch.js';

// One for all that are loaded.
if (!('document' in globalThis)) {
  const window = new Window({ url: 'http://page.test/' });
  for (const [name, value] of Object.entries({ window, document: window.document, navigator: window.navigator })) {
    Object.defineProperty(globalThis, name, { value });
  }
}
// React looks for them when it is loaded.
export const { createRoot, hydrateRoot } = (await import('react-dom/client')).default;
export const { flushSync } = (await import('react-dom')).default;

const DEADLINE_MS = 30_000;
/** How long a store that nobody uses stays. */
const IDLE_MS = 30_000;

export const count = { initial: 0, reduce: (total, { data }) => total + data };

/** A test that says which React it is of. Whatever React has to say on the console is a failure, unless it is of what was `expected`. */
export function test(name, run) {
  nodeTest(`React ${version}: ${name}`, async (t) => {
    const expected = [];
    const errors = t.mock.method(console, 'error', () => {});
    await run(t, expected);
    const said = errors.mock.calls.map((call) => call.arguments.map(String).join(' '));
    assert.deepEqual(said.filter((text) => !expected.some((part) => text.includes(part))), []);
  });
}

/**
 * A log of numbers, and a client that follows it. `answer` may answer a request in its own way, and `connect` a connection; `hold` keeps
 * back what is read of streams until `release`. `stores` are all that were opened.
 */
export async function following(t, { log = new Log(), answer = () => false, connect, ...options } = {}) {
  const connections = new Set();
  const tell = ({ sequence }) => connections.forEach((connection) => connection.write(log.frames(sequence - 1)[0]));
  const greet = connect ?? ((connection, after) => connection.write(log.frames(after).join('') + ready(log.events.length)));
  const connected = (connection, { after = log.events.length }) => {
    connections.add(connection);
    connection.on('close', () => connections.delete(connection));
    greet(connection, after);
  };
  const holds = { asked: undefined, released: undefined };
  const server = await serve(t, log, connected, (request, response, url) => {
    if (answer(request, response, url)) {
      return true;
    }
    if (request.method === 'POST') {
      void append(log, request, response, url, tell);
      return true;
    }
    if (!holds.released || !url.pathname.startsWith('/v1/streams/')) {
      return false;
    }
    holds.asked.resolve();
    const from = Number(url.searchParams.get('from_revision'));
    void holds.released.promise.then(() => response.end(log.streamPage(streamOf(url), from, 256)));
    return true;
  });
  const watched = watch(t, { url: server.url, ...options });
  const { client } = watched;
  // From then on, what is read is read for a component.
  await watched.status('live');
  return {
    ...watched,
    ...server,
    log,
    connections,
    stores: storesOf(t, client),
    appended: (number, stream = 'test:one') => tell(log.append({ data: String(number), stream })),
    reads: (stream = 'test:one') => server.requests.filter(({ url }) => url.pathname.startsWith('/v1/streams/') && streamOf(url) === stream).length,
    /** Resolves once something is held. */
    hold() {
      Object.assign(holds, { asked: withResolvers(), released: withResolvers() });
      return holds.asked.promise;
    },
    release() {
      holds.released.resolve();
      holds.released = undefined;
    },
  };
}

const streamOf = ({ pathname }) => decodeURIComponent(pathname.slice('/v1/streams/'.length));

/** The stores that a client opens from now on, with whether they are closed, and a promise of that. */
function storesOf(t, client) {
  const stores = [];
  const open = client.state.bind(client);
  t.mock.method(client, 'state', (stream, options) => {
    const store = open(stream, options);
    const { promise: closed, resolve } = withResolvers();
    const opened = { store, isClosed: false, closed };
    stores.push(opened);
    const close = store.close.bind(store);
    store.close = () => {
      opened.isClosed = true;
      resolve();
      close();
    };
    return store;
  });
  return stores;
}

/** Has a test say, by what this returns, when stores that nobody uses have waited for long enough. */
export function idling(t) {
  const waiting = new Map();
  const { setTimeout, clearTimeout } = globalThis;
  t.mock.method(globalThis, 'setTimeout', (callback, delayMs, ...rest) => {
    if (delayMs !== IDLE_MS) {
      return setTimeout(callback, delayMs, ...rest);
    }
    const timer = {};
    waiting.set(timer, callback);
    return timer;
  });
  t.mock.method(globalThis, 'clearTimeout', (timer) => waiting.delete(timer) || clearTimeout(timer));
  return () => waiting.forEach((callback) => callback());
}

/** A place in the document where components are rendered, with a client for them. */
export function page(t, client, { render = createRoot } = {}) {
  const container = document.body.appendChild(document.createElement('main'));
  const root = render(container);
  t.after(() => {
    root.unmount();
    container.remove();
  });
  return {
    container,
    root,
    show: (children) => root.render(<HighwaterProvider client={client}>{children}</HighwaterProvider>),
    text: () => container.textContent,
    /** Resolves once this text shows. */
    shows: (text) => shows(container, text),
  };
}

/** Resolves once this text shows in an element; in vain it rejects, and says what does. */
export function shows(element, text) {
  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => {
      observer.disconnect();
      reject(new Error(`waited ${DEADLINE_MS} ms in vain for '${text}', there is '${element.textContent}'`));
    }, DEADLINE_MS);
    const check = () => {
      if (element.textContent === text) {
        clearTimeout(deadline);
        observer.disconnect();
        resolve();
      }
    };
    const observer = new window.MutationObserver(check);
    observer.observe(element, { childList: true, subtree: true, characterData: true });
    check();
  });
}

/** Shows the errors of what is in it, until somebody tries again. */
export class Boundary extends Component {
  state = {};

  static getDerivedStateFromError(error) {
    return { error };
  }

  render() {
    const { error } = this.state;
    return error ? <button onClick={() => this.setState({ error: undefined })}>{`${error.name}: ${error.message}`}</button> : this.props.children;
  }
}

/** What newer runtimes have as `Promise.withResolvers`. */
export function withResolvers() {
  const resolvers = {};
  resolvers.promise = new Promise((resolve, reject) => Object.assign(resolvers, { resolve, reject }));
  return resolvers;
}

export { Log, refuse };
