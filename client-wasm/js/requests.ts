/** The requests to the server: the stream of events, pages of what is missing, and what is sent. */

import { Disconnected, errorOf, ReplacedError, readText } from './error.js';
import type { IntentRecord, Recorded } from './intent.js';
import type { Settings } from './settings.js';

/** A page that is longer than this is not read: the stream brings the same. */
const PAGE_BYTES_MAX = 64 * 1024 * 1024;

/** How a page's request is ended, and who is told that it goes on. */
export interface Progress {
  readonly signal: AbortSignal;
  heard(): void;
}

/** Opens the stream of events after a position. */
export async function openStream(settings: Settings, topics: readonly string[], after: string, signal: AbortSignal): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const response = await get(settings, eventsUrl(settings, topics, after), { accept: 'text/event-stream' }, signal);
  const type = response.headers.get('content-type') ?? 'no type';
  if (!type.startsWith('text/event-stream') || response.body === null) {
    await response.body?.cancel();
    throw new Disconnected(`the server answered ${type} instead of an event stream`);
  }
  return response.body.getReader();
}

/** Reads a page of the log after a position. With `waitS`, the server holds it back so long until there is something. */
export async function readLogPage(settings: Settings, topics: readonly string[], after: string, progress: Progress, waitS?: number): Promise<string> {
  const url = eventsUrl(settings, topics, after);
  url.searchParams.set('limit', String(settings.pageEventsMax));
  if (waitS !== undefined) {
    url.searchParams.set('wait', String(waitS));
  }
  return readText(await getPage(settings, url, progress), PAGE_BYTES_MAX, progress);
}

/** A page of a stream, and the log that it is of; empty where the server does not say. */
export interface StreamPage {
  readonly page: string;
  readonly epoch: string;
}

/**
 * Reads a page of a stream from a revision on, of a server that has come as far as `position`, if that is known. It must be of the log in
 * `epoch`, if that is.
 */
export async function readStreamPage(settings: Settings, stream: string, revision: number, epoch: string, progress: Progress, position = ''): Promise<StreamPage> {
  const url = streamUrl(settings, stream);
  url.searchParams.set('from_revision', String(revision));
  url.searchParams.set('limit', String(settings.pageEventsMax));
  const response = await getPage(settings, url, progress, position === '' ? {} : { 'highwater-min-position': position });
  const [, found = ''] = /^"(\w+)\./.exec(response.headers.get('etag') ?? '') ?? [];
  if (epoch !== '' && found !== '' && found !== epoch) {
    await response.body?.cancel();
    throw new ReplacedError('the log was replaced by another');
  }
  return { page: await readText(response, PAGE_BYTES_MAX, progress), epoch: found };
}

/** Sends what is intended, and answers where it is recorded: the same again is answered as the first time. */
export async function submit(settings: Settings, record: IntentRecord, signal: AbortSignal): Promise<Recorded> {
  const { entity, stream, expected } = record;
  const headers = new Headers(entity === undefined ? { 'content-type': 'application/cloudevents+json' } : { 'content-type': 'application/json', 'idempotency-key': record.id });
  if (expected !== undefined) {
    headers.set(...expectation(expected));
  }
  const body = JSON.stringify(entity === undefined ? eventOf(record) : commandOf(record));
  const url = entity === undefined ? streamUrl(settings, stream) : new URL(`v1/commands/${encodeURIComponent(entity)}/${encodeURIComponent(stream)}`, settings.base);
  const response = await send(settings, url, { method: 'POST', headers, body, signal });
  if (response.status !== 201 && response.status !== 200) {
    throw await errorOf(response);
  }
  const { position, events } = JSON.parse(await readText(response, PAGE_BYTES_MAX)) as Receipt;
  const own = events.filter((event) => (event.stream ?? stream) === stream);
  return { position, revision: own.at(-1)?.revision ?? 0 };
}

/** What is recorded, as the server answers. A command may have made events in several streams. */
interface Receipt {
  readonly position: string;
  readonly events: readonly { readonly stream?: string; readonly revision: number }[];
}

function eventOf({ id, actor, time, intent: { type, version, data } }: IntentRecord): object {
  return { specversion: '1.0', id, source: actor, type, time, commandid: id, version, datacontenttype: 'application/json', data };
}

function commandOf({ actor, time, intent: { type, data, version, clock, causationId, correlationId } }: IntentRecord): object {
  return { type, data, source: actor, time, version, clock, causationid: causationId, correlationid: correlationId };
}

/** The precondition that a stream is where its ETag says: one without events has none yet. */
function expectation(etag: string): [string, string] {
  return etag.endsWith('.0') ? ['if-none-match', '*'] : ['if-match', `"${etag}"`];
}

function streamUrl(settings: Settings, stream: string): URL {
  return new URL(`v1/streams/${encodeURIComponent(stream)}`, settings.base);
}

function eventsUrl(settings: Settings, topics: readonly string[], after: string): URL {
  const url = new URL('v1/events', settings.base);
  for (const topic of topics) {
    url.searchParams.append('topic', topic);
  }
  url.searchParams.set('after', after);
  return url;
}

async function getPage(settings: Settings, url: URL, progress: Progress, headers: Record<string, string> = {}): Promise<Response> {
  const response = await get(settings, url, { ...headers, accept: 'application/json' }, progress.signal);
  try {
    progress.heard();
  } catch (thrown) {
    void response.body?.cancel().catch(() => {});
    throw thrown;
  }
  return response;
}

async function get(settings: Settings, url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  const response = await send(settings, url, { headers: new Headers(headers), signal });
  if (response.status !== 200) {
    throw await errorOf(response);
  }
  return response;
}

async function send(settings: Settings, url: URL, request: RequestInit & { headers: Headers }): Promise<Response> {
  const headers = await settings.headers();
  request.headers.forEach((value, name) => headers.set(name, value));
  return settings.fetch(url, { ...request, headers, cache: 'no-store' });
}
