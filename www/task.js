/**
 * The reducers: how one event moves what is shown of its stream. Pure, and the same for both sides of the page, so that
 * a difference between them can only come from which events they were given, and in which order.
 *
 * @import { Bug, CloudEvent, State } from './types.js'
 */

export const CODE_LIMIT_CHARS = 20_000;
export const BUG_LIMIT = 50;
const TEXT_LIMIT_CHARS = 240;

/** Where a task stands, in words. */
const PHASES = {
  written: 'written, not tested yet',
  failing: 'failing a test',
  inCorrection: 'being corrected',
  corrected: 'corrected, not tested yet',
  passed: 'passing all its tests',
};

/** @type {State} */
export const NOTHING = Object.freeze({
  kind: 'other', revision: 0, version: 0, type: '', time: '', phase: '', purpose: '', code: '', codeBefore: '', bugs: [],
  text: '',
});

/**
 * The state after this event.
 *
 * @param {State} state
 * @param {CloudEvent} event
 * @returns {State}
 */
export function apply(state, event) {
  const moved = { ...state, revision: event.revision, type: event.type, time: event.time ?? '' };
  return event.type.startsWith('task.') ? applyTask(moved, event) : applyOther(moved, event);
}

/**
 * A type without its schema version: `task.code_generated.v1` is `task.code_generated`.
 *
 * @param {string} type
 */
export function withoutSchema(type) {
  return type.replace(/\.v\d+$/, '');
}

/**
 * @param {State} state
 * @param {CloudEvent} event
 * @returns {State}
 */
function applyTask(state, event) {
  const data = record(event.data);
  const task = { ...state, kind: /** @type {const} */ ('task') };
  switch (withoutSchema(event.type)) {
    case 'task.code_generated':
      return withCode({ ...task, phase: PHASES.written, purpose: clip(text(data.task), TEXT_LIMIT_CHARS) }, event, data);
    case 'task.bug_report_received':
      return failing({ ...task, bugs: [...task.bugs, bugOf(event, data)].slice(-BUG_LIMIT) });
    case 'task.correction_started':
      return { ...task, phase: PHASES.inCorrection };
    case 'task.correction_completed':
      return withCode({ ...task, phase: PHASES.corrected, bugs: without(task.bugs, data.addresses) }, event, data);
    case 'task.quality_checked': {
      const checked = { ...task, bugs: without(task.bugs, data.addresses) };
      return data.failed === 0 ? { ...checked, phase: PHASES.passed } : failing(checked);
    }
    default:
      return task;
  }
}

/**
 * A failure is known; somebody may be at it already.
 *
 * @param {State} state
 * @returns {State}
 */
function failing(state) {
  return state.phase === PHASES.inCorrection ? state : { ...state, phase: PHASES.failing };
}

/**
 * @param {State} state
 * @param {CloudEvent} event
 * @param {Record<string, unknown>} data
 * @returns {State}
 */
function withCode(state, event, data) {
  const code = clip(text(data.code), CODE_LIMIT_CHARS);
  return { ...state, version: event.version ?? 0, code, codeBefore: state.code };
}

/**
 * @param {CloudEvent} event
 * @param {Record<string, unknown>} data
 * @returns {Bug}
 */
function bugOf(event, data) {
  return { id: event.id ?? '', version: event.version ?? 0, text: bugText(data.bug) };
}

/**
 * What is wrong: in the reporter's words, or as a case that fails.
 *
 * @param {unknown} bug
 */
export function bugText(bug) {
  const { case: call, expected, got } = record(bug);
  const words = call ? `${text(call)} gave ${text(got)}, should be ${text(expected)}` : text(bug);
  return clip(words, TEXT_LIMIT_CHARS);
}

/**
 * What is left once these reports are answered.
 *
 * @param {Bug[]} bugs
 * @param {unknown} addresses
 */
function without(bugs, addresses) {
  const answered = new Set(Array.isArray(addresses) ? addresses : []);
  return bugs.filter((bug) => !answered.has(bug.id));
}

/**
 * @param {State} state
 * @param {CloudEvent} event
 * @returns {State}
 */
function applyOther(state, event) {
  return { ...state, version: event.version ?? 0, text: clip(text(event.data), TEXT_LIMIT_CHARS) };
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
export function record(value) {
  return value !== null && typeof value === 'object' ? /** @type {Record<string, unknown>} */ (value) : {};
}

/**
 * A value as a person would write it: strings as they are, the fields of an object as `name: value`.
 *
 * @param {unknown} value
 * @returns {string}
 */
function text(value) {
  if (typeof value === 'string') return value;
  if (value === undefined || value === null) return '';
  if (Array.isArray(value) || typeof value !== 'object') return JSON.stringify(value);
  return Object.entries(value)
    .filter(([, field]) => field !== null && field !== '')
    .map(([name, field]) => `${name}: ${typeof field === 'string' ? field : JSON.stringify(field)}`)
    .join(', ');
}

/**
 * @param {string} value
 * @param {number} limitChars
 */
export function clip(value, limitChars) {
  return value.length > limitChars ? `${value.slice(0, limitChars)}…` : value;
}
