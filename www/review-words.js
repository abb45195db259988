/**
 * What there is to do on the page of runs and proposals: each kind of thing in words, and the commands that its buttons give. Pure.
 *
 * @typedef {{ name: string, label: string, value?: string, isLong?: boolean, isRequired?: boolean }} Field
 * @typedef {Record<string, string>} Values
 *
 * @typedef {object} Action  A button, which gives a command; one with fields asks for them first.
 * @property {string} label
 * @property {string} doing  What it is called while it is not confirmed.
 * @property {Field[]} [fields]
 * @property {string} [sendLabel]  Of the button below the fields, where it is another.
 * @property {(values: Values) => { type: string, data: object }} command
 *
 * @typedef {object} Face  What is shown of a thing.
 * @property {string} title
 * @property {string} status
 * @property {'waiting' | 'good' | 'bad' | 'neutral'} tone
 * @property {string} text
 * @property {[string, string][]} facts
 * @property {number} [percent]  How far it is.
 * @property {string} [taskId]  The task that it became, or that has it.
 * @property {string[]} [needs]  What else its actions are decided on: streams of the same space.
 * @property {Action[]} actions
 */

import { count } from './compare.js';
import { clockTime } from './words.js';

/** Who the server itself is when it executes a run. */
const WORKER = 'highwater:worker';
const LEASE_MS = 60_000;

/** @type {Record<string, Face['tone']>} */
const TONES = {
  pending: 'waiting', requested: 'waiting', running: 'waiting', completed: 'waiting', reviewed: 'good', closed: 'good', approved: 'good',
  merged: 'good', rejected: 'bad', failed: 'bad', cancelled: 'neutral',
};

/** @type {Record<string, string>} */
const RUN_STATUS = {
  new: 'not there yet', pending: 'not started', running: 'running', completed: 'done, proposals wait for review', reviewed: 'all proposals reviewed', closed: 'closed',
  failed: 'failed', cancelled: 'cancelled',
};

/** @type {Record<string, string>} */
const PROPOSAL_STATUS = {
  new: 'not there yet', pending: 'waits for review', approved: 'approved', rejected: 'rejected', merged: 'merged',
};

/** @type {Action} */
const APPROVE = { label: 'Approve', doing: 'approving', command: () => ({ type: 'approve', data: {} }) };
/** @type {Action} */
const REJECT = {
  label: 'Reject',
  doing: 'rejecting',
  fields: [{ name: 'reason', label: 'Why (may stay empty)' }],
  command: ({ reason }) => ({ type: 'reject', data: reason ? { reason } : {} }),
};

/**
 * @param {string} id
 * @param {any} message
 * @returns {Face}
 */
export function messageFace(id, message) {
  const text = message?.message?.content?.text ?? id;
  const who = message?.message?.content?.profile?.first_name;
  return { title: text, status: who ? `by ${who}` : '', tone: 'neutral', text: '', facts: [], actions: [] };
}

/**
 * @param {string} id
 * @param {any} run
 * @returns {Face}
 */
export function runFace(id, run) {
  const phase = run?.phase ?? 'new';
  const isOpen = ['pending', 'running', 'completed', 'reviewed'].includes(phase);
  /** @type {Action[]} */
  const actions = [];
  if (phase === 'pending') {
    actions.push({ label: 'Start', doing: 'starting', command: () => ({ type: 'start', data: { executor: WORKER, lease_ms: LEASE_MS } }) });
  }
  if (phase === 'completed' || phase === 'reviewed') actions.push({ label: 'Close', doing: 'closing', command: () => ({ type: 'close', data: {} }) });
  if (phase === 'pending' || phase === 'running') {
    actions.push({ label: 'Cancel', doing: 'cancelling', command: () => ({ type: 'cancel', data: {} }) });
  }
  return {
    title: `Run ${shortId(id)}`,
    status: RUN_STATUS[phase] ?? phase,
    tone: TONES[phase] ?? 'neutral',
    text: run?.reason ? `Why: ${run.reason}` : '',
    facts: runFacts(run),
    ...(isOpen && phase !== 'pending' ? { percent: Number(run.progress_percent) } : {}),
    actions,
  };
}

/** @param {any} run */
function runFacts(run) {
  /** @type {[string, string][]} */
  const facts = [];
  if (run?.windows_total > 0) facts.push(['Windows', `${run.windows_done} of ${run.windows_total}`]);
  if (run?.proposals_total > 0) {
    facts.push(['Proposals', `${run.proposals_total}`], ['Waiting', `${run.proposals_pending}`], ['Approved', `${run.proposals_approved}`],
      ['Rejected', `${run.proposals_rejected}`], ['Merged', `${run.proposals_merged}`]);
  } else if (run?.completed_at) {
    facts.push(['Proposals', 'none']);
  }
  if (run?.accuracy) facts.push(['Accuracy', `${run.accuracy.approved_permille / 10} % approved`]);
  const at = clockTime(run?.ended_at ?? run?.completed_at ?? run?.started_at ?? run?.created_at ?? '');
  if (at) facts.push(['Last', at]);
  return facts;
}

/**
 * @param {string} id
 * @param {any} proposal
 * @returns {Face}
 */
export function proposalFace(id, proposal) {
  const phase = proposal?.phase ?? 'new';
  const { title = '', description = '', priority, confidence_percent: sure, sources = [] } = proposal?.task ?? {};
  /** @type {[string, string][]} */
  const facts = [];
  if (priority) facts.push(['Priority', priority]);
  if (sure !== undefined) facts.push(['Sure', `${sure} %`]);
  if (sources.length > 0) facts.push(['From', count(sources.length, 'source')]);
  if (proposal?.run) facts.push(['Run', shortId(proposal.run)]);
  if (proposal?.edits > 0) facts.push(['Edited', count(proposal.edits, 'time')]);
  return {
    title: title || `Proposal ${shortId(id)}`,
    status: PROPOSAL_STATUS[phase] ?? phase,
    tone: TONES[phase] ?? 'neutral',
    text: description,
    facts: [...facts, ...reviewFacts(proposal?.review)],
    ...(proposal?.review?.task ? { taskId: proposal.review.task } : {}),
    ...(phase === 'pending' ? { needs: [`tasks:${id}`, ...(proposal.run ? [`analysis_runs:${proposal.run}`] : [])] } : {}),
    actions: phase === 'pending' ? [APPROVE, REJECT, merge(), edit(title, description)] : [],
  };
}

/** @returns {Action} */
function merge() {
  return {
    label: 'Merge into…',
    doing: 'merging',
    fields: [{ name: 'into', label: 'The task that has it already, by its id', isRequired: true }],
    command: ({ into = '' }) => ({ type: 'merge', data: { into } }),
  };
}

/**
 * Says only what was changed, so that what somebody else changed meanwhile stays.
 *
 * @param {string} title
 * @param {string} description
 * @returns {Action}
 */
function edit(title, description) {
  return {
    label: 'Edit',
    sendLabel: 'Save',
    doing: 'editing',
    fields: [
      { name: 'title', label: 'Title', value: title, isRequired: true },
      { name: 'description', label: 'Description', value: description, isLong: true },
    ],
    command: (values) => ({
      type: 'edit',
      data: {
        ...(values.title !== title ? { title: values.title } : {}),
        ...(values.description !== description ? { description: values.description } : {}),
      },
    }),
  };
}

/**
 * A topic, an atom, or an extraction that proposes them.
 *
 * @param {string} id
 * @param {any} knowledge
 * @returns {Face}
 */
export function knowledgeFace(id, knowledge) {
  const phase = knowledge?.phase ?? 'new';
  if (knowledge?.kind === 'extraction') {
    const found = knowledge.proposals?.length ?? 0;
    /** @type {Record<string, string>} */
    const words = { requested: 'being read', completed: found > 0 ? `${count(found, 'proposal')} found` : 'nothing found' };
    return {
      title: 'Extraction',
      status: words[phase] ?? phase,
      tone: phase === 'completed' ? 'good' : TONES[phase] ?? 'neutral',
      text: knowledge.reason ?? '',
      facts: timeFacts(knowledge.requested_at),
      actions: [],
    };
  }
  const [kind, item] = Object.entries(knowledge?.item ?? {})[0] ?? ['', undefined];
  const isWaiting = knowledge?.kind === 'proposal' && phase === 'pending';
  /** @type {[string, string][]} */
  const facts = [];
  if (kind) facts.push(['Kind', kind === 'atom' ? `${item.kind}` : kind]);
  if (item?.topic) facts.push(['Topic', shortId(item.topic)]);
  if (item?.keywords?.length > 0) facts.push(['Keywords', item.keywords.slice(0, 8).join(', ')]);
  return {
    title: item?.title || shortId(id),
    status: knowledge?.kind === 'approved' ? 'approved' : PROPOSAL_STATUS[phase] ?? phase,
    tone: knowledge?.kind === 'approved' ? 'good' : TONES[phase] ?? 'neutral',
    text: item?.text && item.text !== item.title ? item.text : '',
    facts: [...facts, ...reviewFacts(knowledge?.review)],
    ...(isWaiting ? { needs: [`knowledge:${kind}-${id}`, ...(item?.topic ? [`knowledge:${item.topic}`] : [])] } : {}),
    actions: isWaiting ? [APPROVE, REJECT] : [],
  };
}

/**
 * @param {any} review
 * @returns {[string, string][]}
 */
function reviewFacts(review) {
  if (!review) return [];
  return [['Reviewed', `${clockTime(review.at)} by ${review.by}`], ...(review.reason ? [/** @type {[string, string]} */ (['Why', review.reason])] : [])];
}

/**
 * @param {string} time
 * @returns {[string, string][]}
 */
function timeFacts(time) {
  const at = clockTime(time);
  return at ? [['Asked for', at]] : [];
}

/**
 * A name with what nobody can read in it cut short.
 *
 * @param {string} id
 */
export function shortId(id) {
  return id.replace(/[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}/g, (unreadable) => `${unreadable.slice(0, 6)}…`);
}
