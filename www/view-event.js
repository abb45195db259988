/**
 * What one event says: who made it, when, what they had seen, what caused it, and its data.
 *
 * @import { CloudEvent } from 'highwater'
 * @import { Entry } from './event-window.js'
 */

import { find, make, setText } from './dom.js';
import { parseClock } from './clocks.js';
import { bugText, clip, record } from './task.js';
import { clockTime, nounOf } from './words.js';

const FIELDS_MAX = 24;
const FIELD_LIMIT_CHARS = 8_000;

/**
 * @param {HTMLElement} panel
 * @param {(id: string) => void} goTo  Called with the id of an event's cause.
 */
export function mountEvent(panel, goTo) {
  const title = find('h2', panel);
  const list = find('dl', panel);
  const hint = find('.hint', panel);
  let drawn = '';
  panel.addEventListener('click', ({ target }) => {
    if (target instanceof HTMLButtonElement && target.dataset.cause) goTo(target.dataset.cause);
  });

  /**
   * @param {Entry | undefined} entry
   * @param {boolean} hasCause  Whether its cause can be gone to.
   */
  function draw(entry, hasCause) {
    const key = entry ? `${entry.event.id} ${hasCause}` : '';
    if (key === drawn) return;
    drawn = key;
    hint.hidden = entry !== undefined;
    list.hidden = entry === undefined;
    setText(title, entry ? nounOf(entry.event.type) : 'No event is chosen');
    list.replaceChildren(...(entry ? fields(entry, hasCause) : []));
  }

  return { draw };
}

/**
 * @param {Entry} entry
 * @param {boolean} hasCause
 */
function fields({ event, isStale }, hasCause) {
  const about = event.version > 0 ? `version ${event.version}` : 'no version';
  return [
    field('By', event.source),
    field('When', clockTime(event.time)),
    field('About', isStale ? make('span', '', `${about}: `, make('b', 'is-left', 'stale, it changed nothing')) : about),
    field('Place', `event ${event.revision} of this stream, ${Number(event.sequence).toLocaleString('en')} of the log`),
    field('Type', make('code', '', event.type)),
    field('Had seen', clockOf(event)),
    ...(event.causationid ? [field('Caused by', causeOf(event.causationid, hasCause))] : []),
    ...dataOf(event.data),
  ];
}

/**
 * @param {string} name
 * @param {string | Node} value
 */
function field(name, value) {
  return make('div', '', make('dt', '', name), make('dd', '', value));
}

/** @param {CloudEvent} event */
function clockOf(event) {
  const counters = [...parseClock(event.clock)];
  if (counters.length === 0) return 'nothing that it says';
  return make('ul', 'clock', ...counters.map(([actor, counter]) => make('li', '', `${actor} `, make('b', '', String(counter)))));
}

/**
 * @param {string} id
 * @param {boolean} hasCause
 */
function causeOf(id, hasCause) {
  if (!hasCause) return make('span', '', make('code', '', id), ' (not in the diagram)');
  const button = make('button', 'quiet', 'Go to it');
  button.type = 'button';
  button.dataset.cause = id;
  return make('span', 'cause', make('code', '', id), ' ', button);
}

/** @param {unknown} data */
function dataOf(data) {
  const members = Object.entries(record(data));
  const shown = members.slice(0, FIELDS_MAX).map(([name, value]) => field(wordsOf(name), valueOf(name === 'bug' ? bugText(value) : value)));
  if (members.length > FIELDS_MAX) shown.push(field('…', `${members.length - FIELDS_MAX} more`));
  return shown;
}

/** @param {string} name */
function wordsOf(name) {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** @param {unknown} value */
function valueOf(value) {
  const isList = Array.isArray(value) && value.every((each) => typeof each === 'string');
  const written = isList ? value.join(', ') || 'none' : typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  const text = clip(written ?? '', FIELD_LIMIT_CHARS);
  const block = make('pre', '', make('code', '', text));
  block.tabIndex = 0; // it may be long enough to scroll
  return text.includes('\n') ? block : text;
}
