/**
 * The page of one stream's history: draws its events as they come, and shows the state at any of them.
 */

import { connect } from 'highwater';

import { newAnnouncer } from './announcer.js';
import { find, setText } from './dom.js';
import { EventWindow } from './event-window.js';
import { newPast } from './past.js';
import { getJson, streamPath } from './requests.js';
import { readRow } from './stream-page.js';
import { mountDiagram } from './view-diagram.js';
import { mountEvent } from './view-event.js';
import { mountPast } from './view-past.js';
import { mountSlider } from './view-slider.js';
import { mountStatus } from './view-status.js';
import { mountTheme } from './view-theme.js';
import { shortName } from './words.js';

/** @import { CloudEvent } from 'highwater' */

/**
 * @param {string} stream
 */
function mountHistory(stream) {
  const shown = new EventWindow();
  /** The revision of the event that is looked at; `null` while it is now, and follows. */
  let chosen = /** @type {number | null} */ (null);
  let isFrameDue = false;
  let reading = new AbortController();

  const announcer = newAnnouncer((text) => setText(find('#announcer'), text));
  const status = mountStatus(find('.status'), announcer.status);
  const diagram = mountDiagram(find('#diagram'), (revision) => choose(revision));
  const detail = mountEvent(find('#event'), (id) => {
    const cause = shown.entries.find(({ event }) => event.id === id);
    if (cause) choose(cause.event.revision);
  });
  const panel = mountPast(find('#past'), () => past.retry());
  const past = newPast({
    read: async (sequence, signal) => (await getJson(`${streamPath(stream)}/state?at=${sequence}`, { signal })).body,
    show: (sequence, told) => panel.show(placeOf(sequence), told),
  });
  const slider = mountSlider(find('#diagram'), shown, {
    choose: (revision) => choose(revision),
    toEnd: () => void readEnd(),
    page: (upTo) => void page(upTo),
  });

  /** @param {number | null} revision */
  function choose(revision) {
    chosen = revision;
    draw();
    if (revision !== null) diagram.reveal(revision);
  }

  /** @param {number} sequence */
  function placeOf(sequence) {
    if (chosen === null) return 'now';
    const entry = shown.entries.find(({ event }) => Number(event.sequence) === sequence);
    return entry ? `after event ${entry.event.revision}` : 'then';
  }

  function drawSoon() {
    if (isFrameDue) return;
    isFrameDue = true;
    requestAnimationFrame(() => draw());
  }

  // How far apart the dots are follows from the room there is.
  new ResizeObserver(drawSoon).observe(find('.track'));

  /** The place in the log whose state was asked for last. */
  let asked = 0;
  function draw() {
    isFrameDue = false;
    const { entries, first } = shown;
    // What was looked at may have been pushed out.
    if (chosen !== null && chosen < first) chosen = first;
    const entry = shown.find(chosen) ?? entries.at(-1);
    const relations = diagram.draw(entries, chosen);
    detail.draw(chosen === null ? undefined : entry, entries.some(({ event }) => event.id === entry?.event.causationid));
    slider.draw(entry, chosen === null);
    drawLegend(relations);
    if (!entry) return;
    const sequence = Number(entry.event.sequence);
    const key = chosen === null ? -sequence : sequence;
    if (key === asked) return;
    asked = key;
    past.ask(sequence);
  }

  /** Begins with the last events there are, and follows from there. */
  async function readEnd() {
    await read(async (signal) => {
      const row = await readRow(stream, { signal });
      if (signal.aborted) return;
      shown.replace(row.events, row);
      chosen = null;
      follow(row.position);
    });
  }

  /** @param {number} upTo */
  async function page(upTo) {
    await read(async (signal) => {
      const row = await readRow(stream, { upTo, signal });
      if (signal.aborted) return;
      shown.replace(row.events, row);
      chosen = shown.entries.at(-1)?.event.revision ?? null;
    });
  }

  /** @param {(signal: AbortSignal) => Promise<void>} work */
  async function read(work) {
    reading.abort();
    reading = new AbortController();
    const { signal } = reading;
    setText(find('#reading'), 'Reading events…');
    try {
      await work(signal);
      if (signal.aborted) return;
      setText(find('#reading'), '');
      find('#whole').hidden = false;
      draw();
      if (chosen !== null) diagram.reveal(chosen);
    } catch (thrown) {
      if (signal.aborted) return;
      setText(find('#reading'), `The events could not be read: ${thrown instanceof Error ? thrown.message : thrown}. Reload to try again.`);
    }
  }

  /** @type {ReturnType<typeof connect> | undefined} */
  let client;
  /** @param {string} position */
  function follow(position) {
    client?.close();
    const following = connect({ url: location.origin, topics: [stream], after: position });
    client = following;
    /** @param {CloudEvent | undefined} event */
    const take = (event) => {
      if (!event || client !== following) return;
      const wasAtEnd = shown.isAtEnd;
      const isKnown = shown.add(event);
      if (!isKnown && wasAtEnd) void readEnd();
      else drawSoon();
    };
    following.on('event', ({ event }) => take(event));
    following.on('stale', ({ event }) => take(event));
    following.on('reset', () => {
      shown.clear();
      past.clear();
      asked = 0;
      void readEnd();
    });
    following.on('status', (change) => {
      if (client === following) status.show(change);
    });
  }

  return { readEnd };
}

/** @param {ReturnType<typeof import('./diagram.js').relationsTo>} relations */
function drawLegend(relations) {
  const all = [...relations.values()];
  for (const item of document.querySelectorAll('#legend [data-relation]')) {
    const number = all.filter((relation) => relation === item.getAttribute('data-relation')).length;
    setText(find('b', item), all.length > 0 ? String(number) : '');
  }
}

mountTheme(find('#theme'));
const stream = new URLSearchParams(location.search).get('stream') ?? '';
setText(find('#title'), stream ? shortName(stream) : 'Which task?');
setText(find('#stream'), stream);
if (stream) {
  document.title = `${shortName(stream)}: its history`;
  void mountHistory(stream).readEnd();
} else {
  setText(find('#reading'), 'The address names no stream: it goes like task?stream=space:demo:tasks:…');
}
