/**
 * The page of a space's runs and proposals. What its buttons do shows at once, by the server's own rules, which the npm package
 * `highwater/domain` brings; the server has the last word.
 */

import { connect } from 'highwater';
import { domain } from 'highwater/domain';

import { newAnnouncer } from './announcer.js';
import { find, setText } from './dom.js';
import { Listing } from './listing.js';
import { newOthers } from './others.js';
import { earliest } from './positions.js';
import { getJson } from './requests.js';
import { knowledgeFace, messageFace, proposalFace, runFace } from './review-words.js';
import { drawStanding, mountThings } from './view-things.js';
import { newThing, reasonOf } from './view-thing.js';
import { mountStatus } from './view-status.js';
import { mountTheme } from './view-theme.js';

/** @import { Client, CloudEvent } from 'highwater' */
/** @import { Face } from './review-words.js' */

const PAGE_ITEMS_MAX = 100;
const PAGES_MAX = 5;

/** @typedef {'message' | 'knowledge' | 'analysis_run' | 'proposal'} Entity */

/** @type {Record<Entity, { segment: string, face: (id: string, state: any) => Face, limit: number, status?: string, newestFirst?: boolean }>} */
const KINDS = {
  message: { segment: 'messages', face: messageFace, limit: 5, newestFirst: true },
  knowledge: { segment: 'knowledge', face: knowledgeFace, limit: 24, status: 'pending' },
  analysis_run: { segment: 'analysis_runs', face: runFace, limit: 6, newestFirst: true },
  proposal: { segment: 'proposals', face: proposalFace, limit: 30, status: 'pending' },
};
/**
 * What a decision may depend on, by what stands for it in its streams' names.
 *
 * @type {Record<string, string>}
 */
const ENTITIES = { tasks: 'task', analysis_runs: 'analysis_run', knowledge: 'knowledge', analysis_guard: 'analysis_guard' };
/** Whether a run is open in the space. */
const GUARD = 'analysis_guard:open';
const LISTED = /** @type {const} */ (['knowledge', 'analysis_run', 'proposal']);

/** What the address of the page asks for. */
function readAddress() {
  const parameters = new URLSearchParams(location.search);
  return { space: parameters.get('space') || 'default', user: parameters.get('as') || 'visitor' };
}

/** @param {{ space: string, user: string }} address */
function mountReview({ space, user }) {
  const announcer = newAnnouncer((text) => setText(find('#announcer'), text));
  const status = mountStatus(find('.status'), announcer.status);
  /** @type {Record<string, Listing>} */
  const listings = Object.fromEntries(LISTED.map((entity) => [entity, new Listing({ read: (wanted) => readList(space, entity, wanted), changed: () => draw(entity) })]));
  /** @type {Client} */
  let client;
  const newUser = newOthers((stream) => client.entity(ENTITIES[stream.split(':')[0] ?? ''] ?? '', `space:${space}:${stream}`));
  const sections = /** @type {Record<Entity, ReturnType<typeof mountThings>>} */ (Object.fromEntries(Object.entries(KINDS).map(([entity, kind]) =>
    [entity, mountThings(find(`#${entity}`), { ...kind, open: (stream, known) => open(/** @type {Entity} */ (entity), stream, known) })])));

  /**
   * @param {Entity} entity
   * @param {string} stream
   * @param {any} known
   */
  function open(entity, stream, known) {
    const id = stream.slice(stream.lastIndexOf(':') + 1);
    const store = client.entity(entity, stream);
    return newThing({ store, known, space, did, need: newUser(), faceOf: (state) => KINDS[entity].face(id, state) });
  }

  /** @param {string} position */
  function did(position) {
    for (const listing of Object.values(listings)) listing.did(position);
  }

  /** @param {Entity} entity */
  function draw(entity) {
    const listing = listings[entity];
    if (!listing || !client) return;
    const items = entity === 'analysis_run' ? listing.items.slice(-KINDS.analysis_run.limit) : listing.items;
    sections[entity].addAll(items);
    const number = `${listing.items.length.toLocaleString('en')}${listing.hasMore ? ' or more' : ''}`;
    const missing = sections[entity].missing(items);
    const words = entity === 'analysis_run' ? `${number} in this space`
      : `${number} wait${listing.items.length === 1 ? 's' : ''} for review${missing > 0 ? `, ${missing.toLocaleString('en')} of them not shown yet` : ''}`;
    drawStanding(find(`#${entity}`), listing, words);
  }

  /**
   * Makes a new thing, by a command that shows at once.
   *
   * @param {Entity} entity
   * @param {import('./review-words.js').Action} action
   */
  function create(entity, action) {
    const thing = sections[entity].make(`space:${space}:${KINDS[entity].segment}:${newId()}`);
    thing.give(action, {});
  }

  /**
   * @param {CloudEvent} event
   * @param {string} position
   */
  function happened({ subject, type }, position) {
    const entity = /** @type {Entity | undefined} */ (Object.keys(KINDS).find((entity) => KINDS[/** @type {Entity} */ (entity)].segment === subject.split(':')[2]));
    if (!entity) return;
    if (/^(analysis_run\.created|proposal\.created|knowledge\.(topic_proposed|atom_proposed|extraction_requested)|message\.ingested)\./.test(type)) sections[entity].add(subject);
    listings[entity]?.heard(position);
  }

  function mountButtons() {
    find('#new-run').addEventListener('click', () => create('analysis_run', { label: 'New run', doing: 'creating', command: () => ({ type: 'create', data: {} }) }));
    find('#extract').addEventListener('click', () => create('knowledge', { label: 'Extract knowledge', doing: 'asking for it', command: () => ({ type: 'request_extraction', data: {} }) }));
    find('#say').addEventListener('submit', (event) => {
      event.preventDefault();
      const box = /** @type {HTMLTextAreaElement} */ (find('#text'));
      const text = box.value.trim();
      if (text === '') return;
      box.value = '';
      const data = {
        message_id: Date.now(), chat: { id: 0, kind: 'page' }, sent_at: new Date().toISOString(), content: { text, profile: { first_name: user } },
      };
      create('message', { label: 'Say', doing: 'saying it', command: () => ({ type: 'ingest', data }) });
    });
  }

  async function start() {
    const pages = await Promise.all(LISTED.map((entity) => readList(space, entity, { minPosition: '' })));
    // What happens after the list that was read first is followed: so nothing lies between.
    const after = earliest(pages.map(({ position }) => position));
    client = connect({ url: location.origin, topics: [`space:${space}:**`], after, domain, actor: `user:${encodeURIComponent(user)}` });
    client.on('event', ({ event, position }) => happened(event, position));
    client.on('reset', () => {
      for (const section of Object.values(sections)) section.clear();
      for (const listing of Object.values(listings)) void listing.reset();
    });
    client.on('status', (change) => status.show(change));
    newUser()([GUARD]);
    find('#whole').hidden = false;
    mountButtons();
    pages.forEach((page, at) => listings[LISTED[at] ?? '']?.take(page));
  }

  return { start };
}

/**
 * A list, as far as this reads it. Whichever of them it keeps, the oldest come first.
 *
 * @param {string} space
 * @param {Entity} entity
 * @param {{ minPosition: string }} wanted
 */
async function readList(space, entity, { minPosition }) {
  const headers = minPosition ? { 'highwater-min-position': minPosition } : undefined;
  const { status, newestFirst } = KINDS[entity];
  const items = [];
  let cursor = '';
  let position = '';
  for (let pages = 1; ; pages += 1) {
    const query = new URLSearchParams({ space, limit: String(PAGE_ITEMS_MAX), ...(status ? { status } : {}), ...(newestFirst ? { order: 'newest' } : {}), ...(cursor ? { cursor } : {}) });
    const { body } = await getJson(`v1/entities/${entity}?${query}`, { ...(headers ? { headers } : {}) });
    items.push(...body.items);
    position ||= body.position;
    cursor = body.next ?? '';
    if (cursor === '' || pages === PAGES_MAX) return { items: newestFirst ? items.reverse() : items, position, next: body.next };
  }
}

/** A name for something new that nobody else gives. `crypto.randomUUID` is for secure contexts only. */
function newId() {
  const random = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

mountTheme(find('#theme'));
const address = readAddress();
/** @type {HTMLInputElement} */ (find('#space')).value = address.space;
/** @type {HTMLInputElement} */ (find('#as')).value = address.user;
setText(find('#where'), `${address.space}, as ${address.user}`);
mountReview(address).start().then(
  () => setText(find('#reading'), ''),
  (error) => setText(find('#reading'), `This space cannot be read: ${reasonOf(error)}. Reload to try again.`),
);
