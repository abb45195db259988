/**
 * The page: follows a stream of events through the npm package `highwater`, lets a naive reader see the same bytes, and
 * draws what each of them makes of it, at most once a frame.
 */

import { connect } from 'highwater';

import { Board } from './board.js';
import { find, setText } from './dom.js';
import { mountFaults, readFaults } from './faults.js';
import { Moved } from './moved.js';
import { naiveReader } from './naive.js';
import { tappedFetch } from './tap.js';
import { CARD_LIMIT, mountCards } from './view-cards.js';
import { mountGauge } from './view-gauge.js';
import { mountLog } from './view-log.js';
import { mountStatus } from './view-status.js';
import { mountTheme } from './view-theme.js';
import { lostSentence, resetSentence, sentence, UNREADABLE } from './words.js';

/** @import { CloudEvent, Header } from './types.js' */

const NO_HEADER = { stream: '', version: 0, revision: 0, time: '' };
/** While history rushes past, nobody can read along: fewer pictures, and it is over sooner. */
const REPLAY_DRAW_EVERY_MS = 250;
const DEMO_TOPIC = 'space:demo:tasks:*';

/**
 * What the address of the page asks for.
 *
 * @param {boolean} isDemo
 */
function readAddress(isDemo) {
  const parameters = new URLSearchParams(location.search);
  const topics = parameters.getAll('topic').flatMap((topics) => topics.split(/\s+/)).filter(Boolean);
  return {
    topics: topics.length > 0 ? topics : [isDemo ? DEMO_TOPIC : '**'],
    after: parameters.get('after') || (isDemo ? 'earliest' : 'latest'),
  };
}

/** @param {{ topics: string[], after: string }} subscription */
function mountAddress({ topics, after }) {
  const start = /** @type {HTMLSelectElement} */ (find('#after'));
  /** @type {HTMLInputElement} */ (find('#topic')).value = topics.join(' ');
  if (![...start.options].some((option) => option.value === after)) start.add(new Option(after, after));
  start.value = after;
  setText(find('#topics-summary'), `${topics.join(' ')}, from ${start.selectedOptions[0]?.text}`);
  const link = /** @type {HTMLAnchorElement} */ (find('#from-start'));
  link.href = `?${new URLSearchParams({ topic: topics.join(' '), after: 'earliest' })}`;
  link.hidden = after === 'earliest';
}

/** Which side is seen where both do not fit beside each other. */
function mountSwitch() {
  const sides = find('#sides');
  find('#switch', sides).addEventListener('change', (event) => {
    if (event.target instanceof HTMLInputElement) sides.dataset.side = event.target.value;
  });
}

/**
 * @param {{ topics: string[], after: string }} subscription
 * @param {ReturnType<typeof mountStatus>} status
 */
function follow(subscription, status) {
  const board = new Board();
  const cards = mountCards(find('#pairs'));
  const gauge = mountGauge(find('.gauge'));
  const log = mountLog({ list: find('#log'), rest: find('#log-rest'), filter: find('#filter') });
  find('#next-wrong').addEventListener('click', cards.focusNextWrong);
  const moved = new Moved();
  let isFrameDue = false;
  let wrongBefore = 0;

  const naive = () => naiveReader({ onEvent: arrived, onReset: () => board.forgetLeft() });
  const client = connect({ url: location.origin, ...subscription, fetch: tappedFetch(naive) });

  /** @param {CloudEvent} event */
  function arrived(event) {
    board.arrived(event);
    drawSoon(event.subject);
  }

  /**
   * @param {'applied' | 'stale' | 'duplicate' | 'gap'} verdict
   * @param {CloudEvent} event
   */
  function judged(verdict, event) {
    const header = headerOf(event);
    const known = board.find(header.stream)?.right;
    const why = sentence(verdict, header, { version: known?.state.version ?? 0, revision: known?.seen ?? 0 });
    log.add({ ...header, verdict, why });
    if (verdict === 'applied') board.applied(event);
    else if (verdict === 'stale') board.dropped(header);
    drawSoon(header.stream);
  }

  /** @param {string} [stream] */
  function drawSoon(stream) {
    if (stream) moved.add(stream);
    if (isFrameDue) return;
    isFrameDue = true;
    const isReplaying = client.status === 'replaying';
    setTimeout(() => requestAnimationFrame(draw), isReplaying ? REPLAY_DRAW_EVERY_MS : 0);
  }

  function draw() {
    isFrameDue = false;
    const summary = board.summary();
    cards.draw(board.seen(CARD_LIMIT), moved);
    gauge.draw(client.stats(), summary);
    if (summary.wrong !== wrongBefore) status.announce(`${summary.wrong} of ${summary.known} wrong on the left`);
    wrongBefore = summary.wrong;
    log.draw();
    moved.clear();
    find('#empty').hidden = summary.known > 0;
    setText(find('#rest'), restWords(summary.putAway + Math.max(0, summary.known - CARD_LIMIT)));
  }

  client.on('event', ({ event }) => judged('applied', event));
  for (const verdict of /** @type {const} */ (['stale', 'duplicate', 'gap'])) {
    client.on(verdict, ({ event }) => event && judged(verdict, event));
  }
  client.on('unreadable', ({ stream = '' }) => {
    log.add({ ...NO_HEADER, stream, verdict: 'unreadable', why: UNREADABLE });
    drawSoon();
  });
  client.on('lost', ({ stream, from, to }) => {
    log.add({ ...NO_HEADER, stream, revision: from, verdict: 'lost', why: lostSentence(from, to) });
    drawSoon();
  });
  client.on('reset', ({ reason }) => {
    board.forgetRight();
    log.add({ ...NO_HEADER, verdict: 'reset', why: resetSentence(reason) });
    drawSoon();
  });
  client.on('status', (change) => {
    status.show(change);
    drawSoon();
  });
  drawSoon();
}

/** @param {number} quiet  How many streams have no card. */
function restWords(quiet) {
  if (quiet === 0) return '';
  return `${CARD_LIMIT} are shown, those that moved last and those that are wrong; ${quiet.toLocaleString('en')} quieter ones are not.`;
}

/**
 * @param {CloudEvent} event
 * @returns {Header}
 */
function headerOf({ subject, revision, version = 0, type, time = '' }) {
  return { stream: subject, revision, version, type, time };
}

/** @param {import('./faults.js').Faults | null} faults */
function mountNetwork(faults) {
  find('.with-demo').hidden = faults === null;
  find('.without-demo').hidden = faults !== null;
  find('#no-network').hidden = faults !== null;
  if (faults) mountFaults(find('#network'), faults);
}

const faults = await readFaults();
mountTheme(find('#theme'));
mountSwitch();
const subscription = readAddress(faults !== null);
mountAddress(subscription);
mountNetwork(faults);
const status = mountStatus(find('.status'), find('#announcer'));
try {
  follow(subscription, status);
} catch (thrown) {
  // The address may ask for what can't be.
  status.show({ status: 'failed', error: thrown instanceof Error ? thrown : new Error(String(thrown)) });
}
