/**
 * The state at a place in the log: of a task in words, of anything else as it is. Its title says which event it is after, and is
 * true also while another one is being read.
 */

import { codeBlock } from './view-code.js';
import { bugList } from './view-bugs.js';
import { find, make, setText } from './dom.js';
import { bugText, clip, NOTHING, record } from './task.js';

const PHASES = new Map([
  ['new', 'nothing has happened'],
  ['specified', 'what is wanted is known'],
  ['planned', 'planned, not written yet'],
  ['written', 'written, nothing known to be wrong'],
  ['failing', 'something is known to be wrong'],
  ['in_correction', 'being corrected'],
  ['passed', 'passed its checks'],
]);
const OTHER_LIMIT_CHARS = 20_000;

/**
 * @typedef {object} StateAnswer  What the server says of a stream's state.
 * @property {string} entity
 * @property {number} revision
 * @property {number} version
 * @property {{ stale: number, unknown: number, unreadable: number }} set_aside
 * @property {any} state
 */

/**
 * @param {HTMLElement} panel
 * @param {() => void} retry
 */
export function mountPast(panel, retry) {
  const code = codeBlock();
  const bugs = bugList();
  const other = make('pre', 'other', make('code'));
  const [requirement, facts] = [make('p', 'purpose'), make('dl', 'facts')];
  const [title, note, again, body] = [find('h2', panel), find('.note', panel), find('button', panel), find('.state', panel)];
  other.tabIndex = 0;
  body.append(requirement, facts, code.element, bugs.element, other);
  body.hidden = true;
  again.addEventListener('click', retry);

  /** @param {StateAnswer} answer */
  function drawState(answer) {
    const isTask = answer.entity === 'task';
    const state = record(answer.state);
    other.hidden = isTask;
    for (const element of [requirement, code.element, bugs.element]) element.hidden = !isTask;
    facts.replaceChildren(...factsOf(answer).map(([name, value]) => make('div', '', make('dt', '', name), make('dd', '', value))));
    if (!isTask) return setText(find('code', other), clip(JSON.stringify(state, null, 2), OTHER_LIMIT_CHARS));
    setText(requirement, String(state.requirement ?? ''));
    code.draw({ ...NOTHING, kind: 'task', code: String(record(state.code).code ?? '') }, null);
    bugs.draw({ ...NOTHING, bugs: pendingBugs(state) }, null);
  }

  return {
    /**
     * @param {string} place  Which state is wanted, such as `now`.
     * @param {import('./past.js').Told<StateAnswer>} told
     */
    show(place, told) {
      panel.dataset.status = told.status;
      panel.ariaBusy = String(told.status === 'loading');
      again.hidden = told.status !== 'failed';
      if (told.status === 'loading') return setText(note, `Reading the state ${place}…`);
      if (told.status === 'failed') return setText(note, `The state ${place} could not be read: ${told.error.message}.`);
      setText(note, '');
      setText(title, `The state ${place}`);
      body.hidden = false;
      drawState(told.answer);
    },
  };
}

/**
 * @param {StateAnswer} answer
 * @returns {[string, string][]}
 */
function factsOf({ entity, version, set_aside: aside, state }) {
  /** @type {[string, string][]} */
  const facts = [['Version', version > 0 ? String(version) : 'none yet']];
  if (entity === 'task') {
    const phase = String(state.phase);
    facts.push(['Phase', PHASES.get(phase) ?? phase], ['Pending bugs', String(state.pending_bugs?.length ?? 0)]);
  }
  const kept = aside.stale + Number(state?.reports_stale ?? 0);
  if (kept > 0) facts.push(['Stale, kept out', String(kept)]);
  if (aside.unknown + aside.unreadable > 0) facts.push(['Not understood', String(aside.unknown + aside.unreadable)]);
  return facts;
}

/** @param {Record<string, any>} state */
function pendingBugs(state) {
  /** @type {Record<string, any>[]} */
  const pending = Array.isArray(state.pending_bugs) ? state.pending_bugs : [];
  return pending.map(({ report, bug, causality, is_urgent: isUrgent }) => {
    const doubt = causality?.about === 'concurrent' ? ' (reported without knowing the current code)' : '';
    return { id: String(report), version: 0, text: `${isUrgent ? 'Urgent: ' : ''}${bugText(bug)}${doubt}` };
  });
}
