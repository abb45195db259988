/**
 * The page: follows a stream of events through the npm package `highwater`, lets a naive reader see the same bytes, and
 * draws what each of them makes of it, at most once a frame.
 */

import { connect } from 'highwater';

import { newAnnouncer } from './announcer.js';
import { Board } from './board.js';
import { isDemo } from './demo.js';
import { find, setText } from './dom.js';
import { mountFaults } from './faults.js';
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
/** The demo's network breaks all the time, and at this page's own wish: nobody wants to wait half a minute for more. */
const DEMO_BACKOFF_MAX_MS = 2_000;
/** Where commands look for a server that is not named. */
const DEFAULT_ORIGIN = 'http://127.0.0.1:4848';

/** What the address of the page asks for. */
function readAddress() {
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
  const link = /** @type {HTMLAnchorElement} */ (find('#from-start a'));
  link.href = `?${new URLSearchParams({ topic: topics.join(' '), after: 'earliest' })}`;
  find('#from-start').hidden = after === 'earliest';
  find('#send-one').hidden = !topics.includes('**');
  if (location.origin !== DEFAULT_ORIGIN) find('#send-one code').append(` --url ${location.origin}`);
}

/**
 * Which side is seen where both do not fit beside each other.
 *
 * @returns {() => void}  Shows both, where the left is not seen.
 */
function mountSwitch() {
  const sides = find('#sides');
  const choices = find('#switch', sides);
  choices.addEventListener('change', (event) => {
    if (event.target instanceof HTMLInputElement) sides.dataset.side = event.target.value;
  });
  return () => {
    if (sides.dataset.side === 'left') return;
    sides.dataset.side = 'both';
    /** @type {HTMLInputElement} */ (find('[value=both]', choices)).checked = true;
  };
}

/**
 * @param {{ topics: string[], after: string }} subscription
 * @param {object} page
 * @param {(change: import('highwater').StatusChange) => void} page.showStatus
 * @param {(counts: string) => void} page.announce
 * @param {() => void} page.showLeft
 */
function follow(subscription, { showStatus, announce, showLeft }) {
  const board = new Board();
  const cards = mountCards(find('#pairs'));
  const gauge = mountGauge(find('.gauge'));
  const log = mountLog({ list: find('#log'), rest: find('#log-rest'), filter: find('#filter') });
  const moved = new Moved();
  let isFrameDue = false;
  let isPaused = false;
  let wrongBefore = 0;

  const client = connect({
    url: location.origin,
    ...subscription,
    fetch: tappedFetch(naive),
    ...(isDemo ? { backoffMaxMs: DEMO_BACKOFF_MAX_MS } : {}),
  });

  /** Reads along on a connection that begins. */
  function naive() {
    board.reconnected().forEach(drawSoon);
    return naiveReader({ onEvent: arrived, onReset: () => board.forgetLeft() });
  }

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

  /**
   * While it is paused all is read as ever, and drawn once it goes on.
   *
   * @param {string} [stream]
   */
  function drawSoon(stream) {
    if (stream) moved.add(stream);
    if (isFrameDue || isPaused) return;
    isFrameDue = true;
    const isReplaying = client.status === 'replaying';
    setTimeout(() => requestAnimationFrame(draw), isReplaying ? REPLAY_DRAW_EVERY_MS : 0);
  }

  function draw() {
    isFrameDue = false;
    if (isPaused) return;
    const summary = board.summary();
    cards.draw(board.seen(CARD_LIMIT), moved);
    gauge.draw(client.stats(), summary);
    if (summary.wrong !== wrongBefore) announce(`${summary.wrong} of ${summary.known} wrong on the left`);
    wrongBefore = summary.wrong;
    log.draw();
    moved.clear();
    find('#empty').hidden = summary.known > 0 || client.status !== 'live';
    setText(find('#rest'), restWords(summary.putAway + Math.max(0, summary.known - CARD_LIMIT)));
  }

  const next = find('#next-wrong');
  next.addEventListener('click', () => {
    if (next.ariaDisabled === 'true') return;
    showLeft();
    cards.focusNextWrong();
  });
  find('#pause').addEventListener('click', () => {
    isPaused = !isPaused;
    gauge.showPause(isPaused);
    drawSoon();
  });

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
    showStatus(change);
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

mountTheme(find('#theme'));
const announcer = newAnnouncer((text) => setText(find('#announcer'), text));
const status = mountStatus(find('.status'), announcer.status);
const showLeft = mountSwitch();
const subscription = readAddress();
mountAddress(subscription);
find('.with-demo').hidden = !isDemo;
find('.without-demo').hidden = isDemo;
find('#no-network').hidden = isDemo;
const showFaults = isDemo ? mountFaults(find('#network')) : undefined;
try {
  follow(subscription, {
    showStatus(change) {
      status.show(change);
      // Whoever answers now may be another than the one before.
      if (change.status === 'live') void showFaults?.();
    },
    announce: announcer.counts,
    showLeft,
  });
} catch (thrown) {
  // The address may ask for what can't be.
  status.show({ status: 'failed', error: thrown instanceof Error ? thrown : new Error(String(thrown)) });
}
