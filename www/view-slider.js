/**
 * The slider along the events that are drawn, and the buttons beside it: which event is looked at, and which are drawn.
 *
 * @import { Entry, EventWindow } from './event-window.js'
 */

import { find, setText } from './dom.js';
import { nounOf } from './words.js';

/**
 * @param {HTMLElement} section
 * @param {EventWindow} shown
 * @param {object} does
 * @param {(revision: number | null) => void} does.choose  Called with an event's revision, or with `null` for now.
 * @param {() => void} does.toEnd
 * @param {(upTo: number) => void} does.page
 */
export function mountSlider(section, shown, { choose, toEnd, page }) {
  const slider = /** @type {HTMLInputElement} */ (find('#at', section));
  const [now, earlier, later] = [find('#now', section), find('#earlier', section), find('#later', section)];

  slider.addEventListener('input', () => {
    const at = Number(slider.value);
    const isNow = shown.isAtEnd && at === shown.entries.length;
    choose(isNow ? null : shown.entries[at - 1]?.event.revision ?? null);
  });
  now.addEventListener('click', () => {
    if (shown.isAtEnd) choose(null);
    else toEnd();
  });
  earlier.addEventListener('click', () => {
    if (shown.first > 1) page(shown.first - 1);
  });
  later.addEventListener('click', () => {
    if (!shown.isAtEnd) page(Math.min(shown.last, shown.first + 2 * shown.entries.length - 1));
  });

  /**
   * @param {Entry | undefined} entry  What is looked at.
   * @param {boolean} isNow
   */
  function draw(entry, isNow) {
    const { entries, first, last } = shown;
    slider.max = String(Math.max(1, entries.length));
    slider.value = String(entries.findIndex((each) => each === entry) + 1);
    const words = isNow || !entry ? 'now' : `after event ${entry.event.revision} of ${last}: ${nounOf(entry.event.type)} by ${entry.event.source}`;
    slider.setAttribute('aria-valuetext', words);
    setText(find('#at-words', section), words);
    now.ariaDisabled = String(isNow);

    const to = entries.at(-1)?.event.revision ?? 0;
    const isAll = first === 1 && to === last;
    const [from, up, of] = [first, to, last].map((number) => number.toLocaleString('en'));
    setText(find('#drawn', section), isAll ? `All ${of} events are drawn.` : `Events ${from} to ${up} of ${of} are drawn.`);
    find('#paging', section).hidden = isAll;
    earlier.ariaDisabled = String(first <= 1);
    later.ariaDisabled = String(shown.isAtEnd);
  }

  return { draw };
}
