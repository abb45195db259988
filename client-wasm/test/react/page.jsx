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
const { setTimeout, clearTimeout } = globalThis; // A test may mock them.

export const count = { initial: 0, reduce: (total, { data }) => total + data };

/** A test that says which React it is of. Whatever React has to say on the console is a failure, unless it is of what was `expected`. */
export function test(name, run) {
  nodeTest(`React ${version}: ${name}`, async (t) => {
    const expected = ['ExperimentalWarning'];
    const errors = t.mock.method(console, 'error', () => {});
    await run(t, expected);
    const said = errors.mock.calls.map((call) => call.arguments.map(String).join(' '));
    assert.deepEqual(said.filter((text) => !expected.some((part) => text.includes(part))), []);
  });
}

/**
 * A log of numbers, and a client that follows it. `answer` may answer a request in its own way, and `stores` are all that were opened, with
 * whether they are closed.
 */
export async function following(t, { log = new Log(), answer = () => false, ...options } = {}) {
  const connections = new Set();
  const tell = ({ sequence }) => connections.forEach((stream) => stream.write(log.frames(sequence - 1)[0]));
  const connect = (stream, { after = log.events.length }) => {
    connections.add(stream);
    stream.on('close', () => connections.delete(stream));
    stream.write(log.frames(after).join('') + ready(log.events.length));
  };
  const server = await serve(t, log, connect, (request, response, url) => {
    if (answer(request, response, url)) {
      return true;
    }
    if (request.method === 'POST') {
      void append(log, request, response, url, tell);
    }
    return request.method === 'POST';
  });
  const watched = watch(t, { url: server.url, ...options });
  const stores = [];
  const { client } = watched;
  const open = client.state.bind(client);
  t.mock.method(client, 'state', (stream, how) => {
    const store = open(stream, how);
    const opened = { stream, store, isClosed: false };
    stores.push(opened);
    const close = store.close.bind(store);
    store.close = () => {
      opened.isClosed = true;
      close();
    };
    return store;
  });
  const appended = (number, stream) => tell(log.append({ data: JSON.stringify(number), ...(stream && { stream }) }));
  const reads = (stream = 'test:one') => server.requests.filter(({ url }) => url.pathname === `/v1/streams/${encodeURIComponent(stream)}`).length;
  return { ...watched, ...server, log, stores, connections, appended, reads };
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
