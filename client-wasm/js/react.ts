/**
 * Highwater's client in React: hooks for a stream's state, for the client's status, and for what users mean to do. They never open or close
 * a client; it comes from `HighwaterProvider`, or is given to a hook.
 */

import React, { type ReactElement, type ReactNode, createContext, createElement, useCallback, useContext, useMemo, useSyncExternalStore } from 'react';

import { dispatch, type Loaded, ofEntity, ofStream, SharedStream, type StreamSnapshot } from './react/shared.js';
import type { Client, Command, Dispatched, EntitySnapshot, EntityStore, Intent, StateOptions, StatusChange } from './types.js';

export type { StreamSnapshot };

export interface ProviderProps {
  /** The client of all components below. `undefined` is for a server that renders: hooks give what they begin with there. */
  readonly client: Client | undefined;
  readonly children?: ReactNode;
}

/**
 * How a stream's events become its state. Components share one store where they give the same `key`, or without one the same function
 * `reduce`. Those of the first render count, until another client, stream or `key` is given.
 */
export interface StreamOptions<State, Data = unknown> extends StateOptions<State, Data> {
  /** Default: the provider's. */
  readonly client?: Client | undefined;
}

const ClientContext = createContext<Client | undefined>(undefined);

/** Gives components a client. */
export function HighwaterProvider({ client, children }: ProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** The provider's client. Throws an `Error` where there is none. */
export function useClient(): Client {
  return needed(useContext(ClientContext));
}

/**
 * A stream's state as it changes. It is `loading` at first, with the state `initial`; errors are in the snapshot. Throws a `TypeError` where
 * the stream is not among the client's topics.
 */
export function useStream<State, Data = unknown>(stream: string, options: StreamOptions<State, Data>): StreamSnapshot<State> {
  const { subscribe, getSnapshot, getServerSnapshot } = useSharedStream(stream, options);
  return useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot);
}

/**
 * As `useStream`, but suspends until there is a state that was true once, be it one that was stored; and again only where the log is
 * another one. Throws what a snapshot that `failed` tells. Without a `key`, `reduce` must be the same function at each render: React forgets
 * what a component that suspends has made. On a server, the fallback is rendered.
 */
export function useSuspenseStream<State, Data = unknown>(stream: string, options: StreamOptions<State, Data>): StreamSnapshot<State> {
  const shared = useSharedStream(stream, options);
  const snapshot = useSyncExternalStore(shared.subscribe, shared.getSnapshot, onlyInBrowsers);
  use(shared.loaded());
  return snapshot;
}

/** An entity's state, and how to change it. The same object until something changes. */
export interface SharedEntity<State, Given extends Command = Command> extends EntitySnapshot<State> {
  /** Gives a user's command, what comes of which shows at once. Needs no `this`. */
  readonly dispatch: EntityStore<State, Given>['dispatch'];
}

/**
 * An entity's state as it changes, by the rules of the client's `domain`. It is `loading` at first, with the state of before the first event;
 * errors are in the snapshot. Throws a `TypeError` where there is no such entity, or the stream is not of it. On a server, the fallback of the
 * nearest `<Suspense>` is rendered.
 */
export function useEntity<State = unknown, Given extends Command = Command>(entity: string, stream: string, given?: Client): SharedEntity<State, Given> {
  const client = useGivenClient(given);
  const shared = useMemo(() => new SharedStream(() => needed(client), ofEntity(entity, stream)), [client, entity, stream]);
  return useSyncExternalStore(shared.subscribe, shared.getSnapshot, onlyInBrowsers) as SharedEntity<State, Given>;
}

/** What `status` told last. */
export function useStatus(given?: Client): StatusChange {
  const client = useGivenClient(given);
  const subscribe = useCallback((changed: () => void) => needed(client).on('status', changed), [client]);
  return useSyncExternalStore(
    subscribe,
    () => needed(client).statusChange,
    () => CONNECTING,
  );
}

/**
 * What appends a user's intents to a stream: the same function as long as client and stream are the same. They show at once wherever the
 * stream does. The stream need not show, unless an intent is conditional. Where components reduce it in several ways, the first that was
 * asked for says whether an intent holds; a snapshot's `dispatch` asks its own.
 */
export function useDispatch(stream: string, given?: Client): (intent: Intent) => Dispatched {
  const client = useGivenClient(given);
  return useCallback((intent) => dispatch(needed(client), stream, intent), [client, stream]);
}

/** What is rendered on a server, where no connection begins. */
const CONNECTING: StatusChange = Object.freeze({ status: 'connecting' });

function useGivenClient(given: Client | undefined): Client | undefined {
  const provided = useContext(ClientContext);
  return given ?? provided;
}

function useSharedStream<State, Data>(stream: string, options: StreamOptions<State, Data>): SharedStream<State> {
  const client = useGivenClient(options.client);
  return useMemo(() => new SharedStream(() => needed(client), ofStream(stream, options)), [client, stream, options.key]);
}

function needed(client: Client | undefined): Client {
  if (!client) {
    throw new Error('there is no Highwater client: render <HighwaterProvider client={…}> above, or give the hook one');
  }
  return client;
}

function onlyInBrowsers(): never {
  throw new Error('this hook reads in browsers only: on a server, the fallback of the nearest <Suspense> is rendered');
}

/** React 18 waits for what is thrown. Asked for through the default export: bundlers complain of a named one that is not there. */
const use: (promise: Loaded) => void =
  (React.use as ((promise: Promise<void>) => void) | undefined) ??
  ((promise) => {
    if (promise.status !== 'fulfilled') {
      throw promise.status === 'rejected' ? promise.reason : promise;
    }
  });
