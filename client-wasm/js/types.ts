/** What the package's users see. */

import type { Deciders, DomainHost } from './fold.js';

/** A recorded event, as a CloudEvent 1.0. */
export interface CloudEvent<Data = unknown> {
  specversion: '1.0';
  id: string;
  /** The actor that made it. */
  source: string;
  /** Ends in `.vN`, the version of its schema. */
  type: string;
  /** Its stream. */
  subject: string;
  /** When it happened, as its producer says. */
  time: string;
  /** When the server recorded it. */
  recordedtime: string;
  datacontenttype?: string;
  /** Its place in the log: 16 digits. */
  sequence: string;
  /** Its place in its stream, from 1 on. */
  revision: number;
  /** The version of the entity that it is about; 0 where the entity has none. */
  version: number;
  /** Its vector clock. */
  clock: string;
  causationid?: string;
  correlationid?: string;
  commandid?: string;
  data?: Data;
  /** Data that is no JSON. */
  data_base64?: string;
  /** Extension attributes. */
  [extension: string]: unknown;
}

/** Where to start: a position that a server or a client gave, the first event there is, or what comes from now on. */
export type After = 'earliest' | 'latest' | (string & {});

export interface Options {
  /** The streams to follow: names, or patterns such as `space:42:**`. */
  topics: readonly string[];
  /** Default: where the device was last, if it has a `name` and has stored that; else `latest`. */
  after?: After;
  /** The server's base URL, without a query: `headers` are for what the server is to know. Default: the page's own origin. */
  url?: string | URL;
  /** Default: the global one. */
  fetch?: typeof fetch;
  /** Sent with each request; a function is asked each time. */
  headers?: HeadersInit | (() => HeadersInit | Promise<HeadersInit>);
  /**
   * A bearer token for each request: asked for every time, so that none is ever stale. A server that refuses one is shown another, once.
   */
  token?: () => string | Promise<string>;
  /** Closes the client. */
  signal?: AbortSignal;
  /**
   * In a browser, clients of one origin that have the same name are one **device**, whichever tab they are in: they share a connection,
   * keep cursor, states and intents in one IndexedDB database, and their writes go out one after the other. So it should tell what differs:
   * the user, where users log in, and the server, where there are several. Left out, or where a browser lacks what it takes, each client
   * has a connection of its own and stores nothing.
   */
  name?: string;
  /** The actor of what is dispatched: a URI reference. Default: one of the device's own, `device:` and a UUID. */
  actor?: string;
  /** The entities whose commands are dispatched: `domain` of `highwater/domain`, or of one's own. For `client.entity`. */
  domain?: Domain;
  /** How many intents may wait until they are confirmed. Default: 256. */
  intentsMax?: number;
  /** How much waits for a slow iterator before the client stops reading; one more chunk may come on top. Default: 1,024. */
  bufferEventsMax?: number;
  /** How many events wait for what is missing before them. Default: 1,024. */
  heldEventsMax?: number;
  /** How many bytes of them. Default: 4 MiB. */
  heldBytesMax?: number;
  /** How many events of what is missing to ask for at once. Default: 256. */
  pageEventsMax?: number;
  /**
   * How long a connection may be silent until it is live (5 s at most once the answer has begun; when it is live, 2.5 heartbeats), and a
   * page of what is missing. Default: 20 s.
   */
  connectTimeoutMs?: number;
  /**
   * The first delay before a reconnect is at most this, each further one at most twice the one before, until a connection has
   * been of use for 5 s. Default: 250 ms.
   */
  backoffBaseMs?: number;
  /** The longest delay before a reconnect, unless the server asks for more. Default: 30 s. */
  backoffMaxMs?: number;
}

/** An event that has been applied. */
export interface Message<Data = unknown> {
  readonly event: CloudEvent<Data>;
  /** Its position: what a later `connect` takes as `after`, once the event is dealt with. */
  readonly position: string;
}

/** An event that was not applied, or not yet. */
export interface Notice<Data = unknown> {
  /** Left out where its text is no JSON. */
  readonly event?: CloudEvent<Data>;
  readonly position: string;
}

/** What can't be read. Its place in the log has been passed, and the state has not moved. */
export interface Unreadable {
  /** Left out where even that can't be read. */
  readonly position?: string;
  /** Left out where even that can't be read. */
  readonly stream?: string;
  /** As it came. */
  readonly text: string;
  readonly error: Error;
}

/**
 * The cursor was of no use to the server. Forget all state: what follows is from `position` on. What iterators had not given yet
 * is of the old state, and dropped.
 */
export interface Reset {
  readonly reason: 'epoch_changed' | 'cursor_expired' | 'cursor_ahead';
  readonly position: string;
}

/** Revisions of a stream that the server no longer has. Load its state anew. */
export interface Lost {
  readonly stream: string;
  /** The first revision that is lost. */
  readonly from: number;
  /** The last one. */
  readonly to: number;
}

/** The server refused an intent, or it no longer holds: it does not show any more. */
export interface Refused {
  readonly id: string;
  readonly stream: string;
  readonly intent: Intent;
  /** A `HighwaterError` of the server's, or what the reducer threw. */
  readonly error: Error;
}

/** Nothing can be stored, or what was stored is gone. The client goes on with what it knows. */
export interface StorageFailure {
  readonly error: Error;
}

export type Status = 'connecting' | 'replaying' | 'live' | 'backing_off' | 'failed' | 'closed';

export type StatusChange =
  | { readonly status: 'connecting' | 'replaying' | 'live' | 'closed' }
  /** Where the server refused something, `cause` or its own `cause` is the `HighwaterError` that says what. */
  | { readonly status: 'backing_off'; readonly delayMs: number; readonly cause: Error }
  | { readonly status: 'failed'; readonly error: Error };

/** What can be listened for, and what a listener is given. */
export interface Listeners<Data = unknown> {
  /** An event moves the state. Each event of the topics comes once, in the log's order. */
  event: Message<Data>;
  /** An event's version is below one that was applied: it must not move the state. */
  stale: Notice<Data>;
  /** An event came again. */
  duplicate: Notice<Data>;
  /** Something before this event is missing and is being fetched. The event gets its verdict once that is there. */
  gap: Notice<Data>;
  unreadable: Unreadable;
  lost: Lost;
  reset: Reset;
  refused: Refused;
  storage: StorageFailure;
  status: StatusChange;
}

/**
 * What an iterator gives, in the order in which it happened: what moves the state, and what an application has to know for its
 * state to stay true. Each is what the listeners of its kind are given.
 */
export type Told<Data = unknown> =
  | ({ readonly kind: 'event' } & Message<Data>)
  | ({ readonly kind: 'unreadable' } & Unreadable)
  | ({ readonly kind: 'lost' } & Lost)
  | ({ readonly kind: 'reset' } & Reset);

/** How a stream's events become its state. */
export interface StateOptions<State, Data = unknown> {
  /** Before the first event. */
  initial: State;
  /** The state after an event. It must not change the one before. An event that it throws for is told as `unreadable`, and moves nothing. */
  reduce(state: State, event: CloudEvent<Data>): State;
  /**
   * What the state is stored as, on a device with a `name`. Default: the stream's name and the source text of `reduce`, so that one that
   * reads otherwise finds nothing. Give one where `reduce` closes over something, or where new builds of the page shall find the state of
   * old ones; then change it whenever `reduce` would make something else of the same events.
   */
  key?: string;
}

/** What a user means to do: an event that shall be appended to a stream. */
export interface Intent<Data = unknown> {
  /** Ends in `.vN`, the version of its schema. */
  readonly type: string;
  readonly data?: Data;
  /** What it makes the entity's version. Default: it stays what it is. */
  readonly version?: number;
  /**
   * Whether it is meant only for the state that shows. Where something else comes first, the intent is predicted anew on top of that: if
   * `reduce` throws there it is refused, else it is sent again with the same id. Default: it is meant whatever comes first.
   */
  readonly isConditional?: boolean;
}

/** What a user asks of an entity. */
export interface Command {
  /** Which of its entity's commands it is, such as `report_bug`. */
  readonly type: string;
  readonly data?: unknown;
}

/** What else is said of a command. */
export interface CommandOptions {
  /** The entity's version that it is about. Default: the current one. */
  readonly version?: number;
  /** What whoever gives it knows: a vector clock, as events have it. Default: the log derives it. */
  readonly clock?: string;
  /** The id of the event that caused it. */
  readonly causationId?: string;
  /** What larger undertaking it belongs to. */
  readonly correlationId?: string;
  /** As an intent's: whether it is meant only for the state that shows. Default: the server decides it on the state that it finds. */
  readonly isConditional?: boolean;
}

/** Events that are in a stream and moved no state of its entity. */
export interface SetAside {
  /** About an earlier version. */
  readonly stale: number;
  /** Of a type, or of a schema version, that this page does not know. */
  readonly unknown: number;
  /** With data that is not what the type says. */
  readonly unreadable: number;
}

/** An entity that a page knows. */
export interface EntityDescription {
  readonly name: string;
  /** The topic of its streams. */
  readonly streams: string;
  /** A state that was stored of another schema is not used. */
  readonly schema: number;
  /** The types of its events, of the newest schema each. */
  readonly types: readonly string[];
}

/** Entities, with the server's own rules: what `highwater/domain` exports. */
export interface Domain {
  readonly entities: readonly EntityDescription[];
  /** @internal */
  start(host: DomainHost): Deciders;
}

/** An intent that shows, and is not confirmed. */
export interface Shown {
  readonly id: string;
  /** `conflicted`: something else came first, and it waits to be predicted anew. `acknowledged`: it is recorded, and its event is on its way. */
  readonly stage: 'pending' | 'conflicted' | 'acknowledged';
  readonly intent: Intent;
}

/** What becomes of an intent. The promises need not be looked at. */
export interface Dispatched {
  /** Its event's `id` and `commandid`, through retries, rebases and reloads. */
  readonly id: string;
  /** Resolves to the position at which it is recorded. Rejects where it is refused, with what `refused` tells. */
  readonly acknowledged: Promise<string>;
  /** Resolves when it is part of the confirmed state. Rejects where it is refused. */
  readonly confirmed: Promise<void>;
}

/** A stream's state at a revision. */
export interface Snapshot<State> {
  /**
   * `loading` until all that was there has been read; `restored` while it is the last true state that was stored, until the server is heard;
   * `failed` where the server refuses it or no longer has all of it, or the client has failed.
   */
  readonly status: 'loading' | 'restored' | 'current' | 'failed';
  /** What is confirmed, and on top of it what was dispatched. */
  readonly state: State;
  /** What is confirmed: the fold of recorded events. The same object as `state` where nothing else shows. */
  readonly confirmed: State;
  /** What shows and is not confirmed, in the order in which it was dispatched. */
  readonly intents: readonly Shown[];
  /** Of the last event that has been judged. */
  readonly revision: number;
  /** The highest that has been applied: events below it move nothing. */
  readonly version: number;
  /** Of an entity: which events moved nothing. */
  readonly setAside?: SetAside;
  readonly error?: Error;
}

/** An entity's state at a revision. */
export interface EntitySnapshot<State> extends Snapshot<State> {
  readonly setAside: SetAside;
}

/** A stream's state as it changes: what React's `useSyncExternalStore` and its like want. */
export interface Store<State> {
  readonly stream: string;
  /** Calls `listener` after each change, until the function returned is called. Needs no `this`. */
  readonly subscribe: (listener: () => void) => () => void;
  /** The same object until something changes. Needs no `this`. */
  readonly getSnapshot: () => Snapshot<State>;
  /**
   * Shows an intent at once and sends it when those before it are answered, until there is an answer: with the same id, so that it is recorded
   * once. Where `reduce` throws on it, or there is no room, it is refused and not sent. Needs no `this`.
   */
  readonly dispatch: (intent: Intent) => Dispatched;
  /** Nothing more comes. What was dispatched is still sent. */
  close(): void;
}

/** An entity's state as it changes: a store whose rules are the server's. */
export interface EntityStore<State, Given extends Command = Command> extends Omit<Store<State>, 'getSnapshot' | 'dispatch'> {
  /** The same object until something changes. Needs no `this`. */
  readonly getSnapshot: () => EntitySnapshot<State>;
  /**
   * Decides a command here and shows what comes of it, sends it when those before it are answered, and takes the server's decision. One that
   * can't be right is refused at once and not sent, and so is one that a `current` state does not allow. While the state is `loading` or
   * `restored`, or what else the decision depends on is not there, the server alone decides. Needs no `this`.
   */
  readonly dispatch: (command: Given, options?: CommandOptions) => Dispatched;
}

/**
 * What happened so far. Each event that came is in exactly one of `applied`, `stale`, `duplicate`, `unreadable`,
 * `discarded`, `dropped` and `held`; those in `gap` are counted a second time.
 */
export interface Stats {
  readonly status: Status;
  /** Where the next connection starts. */
  readonly cursor: After;
  readonly applied: number;
  readonly stale: number;
  readonly duplicate: number;
  readonly unreadable: number;
  /** Events of another log than the one that is followed. */
  readonly discarded: number;
  /** Events that were held in vain and came again. */
  readonly dropped: number;
  /** Events that wait for what is missing. */
  readonly held: number;
  /** Events that had to wait. */
  readonly gap: number;
  readonly reconnects: number;
}

/** A problem document (RFC 9457) of the server's. */
export interface Problem {
  readonly type?: string;
  readonly title?: string;
  readonly status?: number;
  readonly detail?: string;
  /** Says which problem it is, and does not change. */
  readonly code?: string;
  readonly [member: string]: unknown;
}

/** A picture of the topics that stays true. To iterate over it gives what is told from then on. */
export interface Client<Data = unknown> extends AsyncIterable<Told<Data>> {
  /** Calls `listener` each time, until the function returned is called. Throws a `TypeError` where there is no such kind. */
  on<Kind extends keyof Listeners>(kind: Kind, listener: (told: Listeners<Data>[Kind]) => void): () => void;
  readonly status: Status;
  /** What `status` told last: the same object until it tells something else. */
  readonly statusChange: StatusChange;
  /** `alone` with a connection of its own; or, on a device with a name, the `leader`, which has the connection, or a `follower`. */
  readonly role: 'alone' | 'leader' | 'follower';
  /** What is followed. */
  readonly topics: readonly string[];
  /**
   * Follows one more topic, without losing a place in the others. Under `earliest` it is first read alone from the log's beginning on, and
   * each of its events told; under `latest` it is followed from the cursor on. Default: as `connect` was told. Resolves once what is there has been told;
   * rejects where the server refuses it.
   */
  add(topic: string, options?: { readonly after?: 'earliest' | 'latest' }): Promise<void>;
  /** Follows a topic no longer. The last one stays: close the client instead. */
  remove(topic: string): void;
  /** Up to here everything has been judged: what a later `connect` takes as `after`, where no iterator lags behind. */
  readonly cursor: After;
  stats(): Stats;
  /**
   * The state of a stream: read from its first event on, then kept true. Every call makes a store of its own; close those that are not
   * wanted any more. Throws a `TypeError` where the stream is not among the client's topics.
   */
  state<State, EventData = Data>(stream: string, options: StateOptions<State, EventData>): Store<State>;
  /**
   * The state of an entity's stream, by the rules of the `domain` that `connect` was given. As `state` otherwise. Throws a `TypeError` where
   * there is no such entity, or the stream is not of it.
   */
  entity<State = unknown, Given extends Command = Command>(entity: string, stream: string): EntityStore<State, Given>;
  /**
   * Resolves once everything up to this position, such as that of an append's answer, has been judged and told. Rejects where the client
   * is over before.
   */
  caughtUp(position: string): Promise<void>;
  /** Ends the connection, and all iterations once what they hold is read. */
  close(): void;
}
