/** The page that shows what the server says of its own HTTP interface, in `openapi.json`. */

import { find, make, setText } from './dom.js';
import { isDescription } from './openapi.js';
import { chaptersOf } from './view-operation.js';
import { prose } from './view-schema.js';
import { mountTheme } from './view-theme.js';

/** @import { Description } from './openapi.js' */
/** @import { Chapter } from './view-operation.js' */

const SOURCE = 'openapi.json';
const ANSWER_TIMEOUT_MS = 15_000;
const LOOKS = 10;
/** From here on the contents stand beside the text, where they take no room from it. */
const WIDE = matchMedia('(min-width: 64rem)');

mountTheme(find('#theme'));
try {
  show(await read());
  find('#state').hidden = true;
} catch (error) {
  const state = find('#state');
  state.classList.add('is-wrong');
  setText(state, `There is nothing to show: ${error instanceof Error ? error.message : String(error)}. Reload to try again.`);
}

/** @returns {Promise<Description>} */
async function read() {
  const response = await fetch(SOURCE, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) }).catch(() => {
    throw new Error(`the server did not answer when asked for ${SOURCE}`);
  });
  if (!response.ok) throw new Error(`the server answered ${response.status} when asked for ${SOURCE}`);
  const document = await response.json().catch(() => undefined);
  if (!isDescription(document)) throw new Error(`what the server has as ${SOURCE} is no OpenAPI 3.1 document`);
  return document;
}

/** @param {Description} description */
function show(description) {
  const chapters = chaptersOf(description);
  const { title, version, summary, description: about } = description.info;
  document.title = `${title}: the HTTP interface`;
  setText(find('#title'), `${title} ${version}`);
  find('#about').append(...prose(summary), ...prose(about));
  const sections = chapters.map(newSection);
  find('#reference').append(...sections.map(({ text }) => text));
  find('#contents nav').append(...sections.map(({ contents }) => contents));
  const contents = /** @type {HTMLDetailsElement} */ (find('#contents'));
  contents.open = WIDE.matches;
  WIDE.addEventListener('change', () => (contents.open = WIDE.matches));
  mountFilter(chapters, sections);
  find('#whole').hidden = false;
  followAddress();
}

/** @param {Chapter} chapter */
function newSection({ title, description, entries }) {
  const list = make('ol', '', ...entries.map(({ name, element }) => {
    const link = make('a', '', make('code', '', name));
    link.href = `#${element.id}`;
    return make('li', '', link);
  }));
  return {
    text: make('section', 'chapter', make('h2', '', title), ...prose(description), ...entries.map(({ element }) => element)),
    contents: make('section', '', make('h3', '', title), list),
    items: [...list.children].map((item) => /** @type {HTMLElement} */ (item)),
  };
}

/**
 * Hides what lacks one of the filter's words, and shows all again when a link leads to what is hidden.
 *
 * @param {Chapter[]} chapters
 * @param {ReturnType<typeof newSection>[]} sections
 */
function mountFilter(chapters, sections) {
  const box = /** @type {HTMLInputElement} */ (find('#filter'));
  const texts = chapters.map(({ entries }) => entries.map(({ element }) => element.textContent.toLowerCase()));

  function apply() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    chapters.forEach(({ entries }, at) => {
      const section = sections[at];
      let foundHere = 0;
      entries.forEach(({ element }, index) => {
        const isFound = words.every((word) => texts[at]?.[index]?.includes(word));
        element.hidden = !isFound;
        const item = section?.items[index];
        if (item) item.hidden = !isFound;
        foundHere += isFound ? 1 : 0;
      });
      if (section) section.text.hidden = section.contents.hidden = foundHere === 0;
      found += foundHere;
    });
    const total = texts.flat().length;
    setText(find('#found'), words.length === 0 ? '' : found === 0 ? 'Nothing has all these words.' : `${found} of ${total}`);
  }

  box.addEventListener('input', apply);
  document.addEventListener('click', ({ target }) => {
    const link = target instanceof Element ? target.closest('a') : null;
    const goal = link?.hash ? document.getElementById(link.hash.slice(1)) : null;
    if (!goal?.hidden) return;
    box.value = '';
    apply();
  });
}

/**
 * The browser looked for the address's fragment before there was anything. What is laid out on the way there moves it, so it takes more than
 * one look.
 */
function followAddress() {
  const goal = document.getElementById(location.hash.slice(1));
  let looks = LOOKS;
  const look = () => {
    goal?.scrollIntoView();
    looks -= 1;
    if (goal && looks > 0) requestAnimationFrame(look);
  };
  look();
}
