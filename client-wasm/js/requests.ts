/** The requests to the server: the stream of events, and pages of what is missing. */

import { Disconnected, errorOf, readText } from './error.js';
import type { Settings } from './settings.js';

/** A page that is longer than this is not read: the stream brings the same. */
const PAGE_BYTES_MAX = 64 * 1024 * 1024;

/** How a page's request is ended, and who is told that it goes on. */
export interface Progress {
  readonly signal: AbortSignal;
  heard(): void;
}

/** Opens the stream of events after a position. */
export async function openStream(settings: Settings, after: string, signal: AbortSignal): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const response = await send(settings, eventsUrl(settings, after), 'text/event-stream', signal);
  const type = response.headers.get('content-type') ?? 'no type';
  if (!type.startsWith('text/event-stream') || response.body === null) {
    await response.body?.cancel();
    throw new Disconnected(`the server answered ${type} instead of an event stream`);
  }
  return response.body.getReader();
}

/** Reads a page of the log after a position. */
export async function readLogPage(settings: Settings, after: string, progress: Progress): Promise<string> {
  const url = eventsUrl(settings, after);
  url.searchParams.set('limit', String(settings.pageEventsMax));
  return readText(await sendForPage(settings, url, progress), PAGE_BYTES_MAX, progress);
}

/** Reads a page of the log after a position, which the server holds back until there is something, or for a while. */
export async function pollLog(settings: Settings, after: string, waitS: number, progress: Progress): Promise<string> {
  const url = eventsUrl(settings, after);
  url.searchParams.set('limit', String(settings.pageEventsMax));
  url.searchParams.set('wait', String(waitS));
  return readText(await sendForPage(settings, url, progress), PAGE_BYTES_MAX, progress);
}

/** Reads a page of a stream from a revision on. It must be of the log in `epoch`, if that is known. */
export async function readStreamPage(settings: Settings, stream: string, revision: number, epoch: string, progress: Progress): Promise<string> {
  const url = new URL(`v1/streams/${encodeURIComponent(stream)}`, settings.base);
  url.searchParams.set('from_revision', String(revision));
  url.searchParams.set('limit', String(settings.pageEventsMax));
  const response = await sendForPage(settings, url, progress);
  const tag = response.headers.get('etag');
  if (epoch !== '' && tag !== null && !tag.startsWith(`"${epoch}.`)) {
    await response.body?.cancel();
    throw new Disconnected('the log was replaced by another');
  }
  return readText(response, PAGE_BYTES_MAX, progress);
}

function eventsUrl(settings: Settings, after: string): URL {
  const url = new URL('v1/events', settings.base);
  for (const topic of settings.topics) {
    url.searchParams.append('topic', topic);
  }
  url.searchParams.set('after', after);
  return url;
}

async function sendForPage(settings: Settings, url: URL, progress: Progress): Promise<Response> {
  const response = await send(settings, url, 'application/json', progress.signal);
  try {
    progress.heard();
  } catch (thrown) {
    void response.body?.cancel().catch(() => {});
    throw thrown;
  }
  return response;
}

async function send(settings: Settings, url: URL, accept: string, signal: AbortSignal): Promise<Response> {
  const headers = await settings.headers();
  headers.set('accept', accept);
  const response = await settings.fetch(url, { headers, signal, cache: 'no-store' });
  if (response.status !== 200) {
    throw await errorOf(response);
  }
  return response;
}
