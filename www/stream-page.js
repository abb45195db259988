/**
 * Reads a row of a stream's events over HTTP: the last ones there are, or those before some revision.
 *
 * @import { CloudEvent } from 'highwater'
 */

import { WINDOW_EVENTS_MAX } from './event-window.js';
import { getJson, RefusedError, streamPath } from './requests.js';

/**
 * @param {string} stream
 * @param {{ upTo?: number, signal?: AbortSignal }} [options]  Up to which revision; the last one where left out.
 */
export async function readRow(stream, { upTo, signal } = {}) {
  const from = upTo === undefined ? 1 : Math.max(1, upTo - WINDOW_EVENTS_MAX + 1);
  let row = await readFrom(stream, from, upTo, signal);
  if (upTo === undefined && row.last > WINDOW_EVENTS_MAX) {
    row = await readFrom(stream, row.last - WINDOW_EVENTS_MAX + 1, undefined, signal);
  }
  return { ...row, versionBefore: await versionBefore(stream, row.events[0], signal) };
}

/**
 * An answer holds so many bytes only: it is asked for more until it is all there.
 *
 * @param {string} stream
 * @param {number} from
 * @param {number | undefined} upTo
 * @param {AbortSignal | undefined} signal
 */
async function readFrom(stream, from, upTo, signal) {
  /** @type {CloudEvent[]} */
  const events = [];
  for (;;) {
    const next = from + events.length;
    const limit = Math.min(WINDOW_EVENTS_MAX, (upTo ?? Infinity) - from + 1) - events.length;
    const { body, position } = await getJson(`${streamPath(stream)}?from_revision=${next}&limit=${limit}`, { signal });
    events.push(...body.events);
    const last = Number(body.revision);
    const isAll = body.events.length === 0 || events.length >= WINDOW_EVENTS_MAX || from + events.length > (upTo ?? last);
    if (isAll) return { events, last, position };
  }
}

/**
 * The stream's version before its first event here, so that it is known which events are stale.
 *
 * @param {string} stream
 * @param {CloudEvent | undefined} first
 * @param {AbortSignal | undefined} signal
 */
async function versionBefore(stream, first, signal) {
  if (!first || first.revision === 1) return 0;
  try {
    const { body } = await getJson(`${streamPath(stream)}/state?at=${Number(first.sequence) - 1}`, { signal });
    return Number(body.version);
  } catch (error) {
    // What is of no entity has no state; then what is here has to do.
    if (error instanceof RefusedError && error.code === 'no_entity') return 0;
    throw error;
  }
}
