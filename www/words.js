/**
 * Verdicts as sentences, for people who know none of the terms. Pure.
 *
 * @import { Header } from './types.js'
 */

import { withoutSchema } from './task.js';

export const UNREADABLE = 'Its data cannot be read: set aside by name, not lost in silence.';

/** What kind of message an event is, as a noun. */
const NOUNS = new Map([
  ['task.requirement_gathered', 'Requirement'],
  ['task.planned', 'Plan'],
  ['task.code_generated', 'New code'],
  ['task.test_generated', 'New tests'],
  ['task.code_refined', 'Refined code'],
  ['task.quality_checked', 'Quality check'],
  ['task.dead_code_analyzed', 'Search for dead code'],
  ['task.bug_report_received', 'Report'],
  ['task.correction_requested', 'Request for a correction'],
  ['task.correction_started', 'Start of a correction'],
  ['task.correction_completed', 'Correction'],
  ['task.bug_fix_urgent', 'Urgent request'],
  ['task.user_intervened', 'Word of a user'],
]);

/**
 * What kind of message this is, as a noun.
 *
 * @param {string} type
 */
export function nounOf(type) {
  return NOUNS.get(withoutSchema(type)) ?? 'Message';
}

/**
 * Why this event got its verdict.
 *
 * @param {'applied' | 'stale' | 'duplicate' | 'gap'} verdict
 * @param {Header} event
 * @param {{ version: number, revision: number }} known  How far its stream was known before.
 */
export function sentence(verdict, event, known) {
  const noun = nounOf(event.type);
  switch (verdict) {
    case 'applied':
      return `${noun} taken over${event.version > 0 ? `: version ${event.version}` : ''}.`;
    case 'stale':
      return `${noun} about version ${event.version} came after version ${known.version}: dropped from state.`;
    case 'duplicate':
      return `Already judged: revision ${event.revision} came again. Nothing changes.`;
    case 'gap':
      return `${missing(known.revision, event.revision)} before this is missing: held back and fetching.`;
  }
}

/**
 * Why the server could not go on from where this page stood.
 *
 * @param {'epoch_changed' | 'cursor_expired' | 'cursor_ahead'} reason
 */
export function resetSentence(reason) {
  switch (reason) {
    case 'epoch_changed':
      return 'The server serves another log now: everything is read anew.';
    case 'cursor_expired':
      return 'The server no longer keeps what came next: everything it still has is read anew.';
    case 'cursor_ahead':
      return 'The server knows less than this page has seen: it goes on from where the server stands.';
  }
}

/**
 * What the server can't bring any more.
 *
 * @param {number} from
 * @param {number} to
 */
export function lostSentence(from, to) {
  const revisions = from === to ? `revision ${from}` : `revisions ${from} to ${to}`;
  return `The server no longer has ${revisions}: what is shown may lack it.`;
}

/**
 * What lies between two revisions of a stream; where nothing does, it is another stream's event that is missing.
 *
 * @param {number} known
 * @param {number} revision
 */
function missing(known, revision) {
  if (known === 0 || revision <= known + 1) return 'Something';
  return revision === known + 2 ? `Revision ${known + 1}` : `What lies between revision ${known} and ${revision}`;
}

/**
 * The last part of a stream's name, which is what people call it: `wiki:en:High%20tide` is `High tide`.
 *
 * @param {string} stream
 */
export function shortName(stream) {
  const name = stream.slice(stream.lastIndexOf(':') + 1);
  try {
    return decodeURIComponent(name);
  } catch {
    return name; // a `%` that encodes nothing
  }
}

/**
 * When something happened, as the reader's own clock would say it; with the date, if that was not today.
 *
 * @param {string} time
 */
export function clockTime(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  return date.toDateString() === new Date().toDateString() ? TIME.format(date) : DATE_AND_TIME.format(date);
}

const TIME = new Intl.DateTimeFormat([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DATE_AND_TIME = new Intl.DateTimeFormat([], { dateStyle: 'medium', timeStyle: 'medium' });
