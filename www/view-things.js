/**
 * A section of things: those that its list has, and those that come while the page is open. Bounded; what is settled makes room.
 *
 * @import { Listing, Item } from './listing.js'
 */

import { find, setText } from './dom.js';

/**
 * @typedef {ReturnType<typeof import('./view-thing.js').newThing>} Thing
 */

/**
 * @param {HTMLElement} section
 * @param {object} options
 * @param {number} options.limit
 * @param {(stream: string, known: any) => Thing} options.open
 * @param {boolean} [options.newestFirst]
 */
export function mountThings(section, { limit, open, newestFirst = false }) {
  const list = find('.things', section);
  const empty = find('.empty-words', section);
  /** @type {Map<string, Thing>} */
  const things = new Map();

  /** Whether there is room for one more. What is settled makes room for it, and where the newest are wanted, the oldest does. */
  function makeRoom() {
    if (things.size < limit) return true;
    const settled = [...things].find(([, thing]) => newestFirst || thing.isSettled());
    if (!settled) return false;
    settled[1].close();
    things.delete(settled[0]);
    return true;
  }

  /**
   * @param {string} stream
   * @param {any} [known]  Its state, where a list had it.
   * @returns {Thing | undefined}  Nothing where there is no room.
   */
  function add(stream, known) {
    return things.get(stream) ?? (makeRoom() ? put(stream, known) : undefined);
  }

  /**
   * @param {string} stream
   * @param {any} known
   */
  function put(stream, known) {
    const thing = open(stream, known);
    things.set(stream, thing);
    if (newestFirst) list.prepend(thing.element);
    else list.append(thing.element);
    empty.hidden = true;
    return thing;
  }

  return {
    add,
    /**
     * What the user makes is shown, whether there is room or not.
     *
     * @param {string} stream
     */
    make(stream) {
      makeRoom();
      return put(stream, undefined);
    },
    /**
     * What its list has. Where the newest are wanted, those that are here already are not pushed out by older ones.
     *
     * @param {Item[]} items
     */
    addAll(items) {
      for (const { stream, state } of items) {
        if (!newestFirst || things.size < limit) add(stream, state);
      }
      empty.hidden = things.size > 0;
    },
    /**
     * How many of these are not shown.
     *
     * @param {Item[]} items
     */
    missing: (items) => items.filter(({ stream }) => !things.has(stream)).length,
    clear() {
      for (const thing of things.values()) thing.close();
      things.clear();
    },
  };
}

/**
 * How a list stands, beside its section's title.
 *
 * @param {HTMLElement} section
 * @param {Listing} listing
 * @param {string} words  What it shows, once it is read.
 */
export function drawStanding(section, listing, words) {
  const standing = find('.standing', section);
  standing.dataset.behind = String(listing.isBehind);
  if (listing.error) setText(standing, `The list cannot be read: ${listing.error.message}. Trying again.`);
  else if (listing.isBehind) setText(standing, 'Processing…');
  else setText(standing, listing.position === '' ? 'Reading…' : words);
}
