/**
 * The log of verdicts, newest first: what Highwater decided about a message, and why, in words. Each kind keeps its last
 * lines only, so that a flood of one does not wash the others away; what is older is counted.
 *
 * @import { Verdict } from './types.js'
 */

import { make, setText } from './dom.js';
import { shortName, clockTime } from './words.js';

export const LINES_PER_KIND = 40;
/** In one frame, more than this of one kind become one line that counts them. */
const LINES_PER_FRAME = 6;

/**
 * @typedef {object} Entry
 * @property {Verdict} verdict
 * @property {string} why
 * @property {string} stream
 * @property {number} version
 * @property {number} revision
 * @property {string} time
 */

/**
 * @param {{ list: HTMLElement, rest: HTMLElement, filter: HTMLElement }} parts
 */
export function mountLog({ list, rest, filter }) {
  /** @type {Map<Verdict, { fresh: Entry[], freshCount: number, lines: HTMLElement[], total: number, shown: number }>} */
  const kinds = new Map();
  filter.addEventListener('change', (event) => {
    if (event.target instanceof HTMLInputElement) list.dataset.show = event.target.value;
  });

  /**
   * Notes an entry, to be drawn with the next frame.
   *
   * @param {Entry} entry
   */
  function add(entry) {
    let kind = kinds.get(entry.verdict);
    if (!kind) kinds.set(entry.verdict, (kind = { fresh: [], freshCount: 0, lines: [], total: 0, shown: 0 }));
    kind.freshCount += 1;
    kind.total += 1;
    if (kind.fresh.length < LINES_PER_FRAME) kind.fresh.push(entry);
  }

  function draw() {
    let earlier = 0;
    for (const [verdict, kind] of kinds) {
      const { fresh, freshCount, lines } = kind;
      const added = freshCount > LINES_PER_FRAME ? [newSummary(verdict, freshCount)] : fresh.map(newLine);
      for (const line of added) {
        list.prepend(line);
        lines.push(line);
      }
      for (const line of lines.splice(0, Math.max(0, lines.length - LINES_PER_KIND))) line.remove();
      kind.fresh = [];
      kind.freshCount = 0;
      earlier += kind.total - lines.reduce((sum, line) => sum + Number(line.dataset.count), 0);
    }
    setText(rest, earlier > 0 ? `${earlier.toLocaleString('en')} earlier verdicts are not listed.` : '');
  }

  return { add, draw };
}

/** @param {Entry} entry */
function newLine({ verdict, why, stream, version, revision, time }) {
  const numbers = [version > 0 ? `version ${version}` : '', revision > 0 ? `revision ${revision}` : '', clockTime(time)];
  const name = make('b', '', shortName(stream));
  name.title = stream;
  return newItem(verdict, 1, make('p', '', why), make('p', 'about', name, ` ${numbers.filter(Boolean).join(' · ')}`));
}

/**
 * @param {Verdict} verdict
 * @param {number} number
 */
function newSummary(verdict, number) {
  return newItem(verdict, number, make('p', '', `${number.toLocaleString('en')} events at once.`));
}

/**
 * @param {Verdict} verdict
 * @param {number} number
 * @param {Node[]} parts
 */
function newItem(verdict, number, ...parts) {
  const line = make('li', '', make('span', 'kind', verdict), ...parts);
  line.dataset.verdict = verdict;
  line.dataset.count = String(number);
  return line;
}
