/**
 * The controls of the network between server and page, which `highwater demo` offers at `/demo/faults`. They show what is in
 * force, whoever set it: another window may have.
 */

import { find, setText } from './dom.js';

const URL = '/demo/faults';
const PUT_DELAY_MS = 150;
const ANSWER_LIMIT_MS = 5_000;

/**
 * @typedef {object} Faults
 * @property {[number, number]} delay_ms
 * @property {number} repeat  A share of all messages, 0 to 1.
 * @property {number} reorder  A share of all messages, 0 to 1.
 * @property {number | null} [cut_every_ms]
 */

/** @type {Record<'calm' | 'bad', Faults>} The second is what `highwater demo` begins with. */
const PRESETS = {
  calm: { delay_ms: [0, 0], repeat: 0, reorder: 0, cut_every_ms: null },
  bad: { delay_ms: [100, 500], repeat: 0.25, reorder: 0.35, cut_every_ms: 8_000 },
};

/**
 * The panel stays hidden until it can show what is in force.
 *
 * @param {HTMLElement} panel
 * @returns {() => Promise<void>}  Shows what is in force now.
 */
export function mountFaults(panel) {
  const form = find('form', panel);
  const sliders = {
    delayMin: slider(form, 'delay-min', (value) => `${value} ms`),
    delayMax: slider(form, 'delay-max', (value) => `${value} ms`),
    repeat: slider(form, 'repeat', (value) => `${value} %`),
    reorder: slider(form, 'reorder', (value) => `${value} %`),
    cut: slider(form, 'cut', (value) => (value === 0 ? 'never' : `every ${value} s`)),
  };
  const note = find('#faults-note', panel);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** Whether what the reader chose is not in force yet. */
  let isChanging = false;

  /** @param {Faults} faults */
  function show(faults) {
    sliders.delayMin.set(faults.delay_ms[0]);
    sliders.delayMax.set(faults.delay_ms[1]);
    sliders.repeat.set(Math.round(faults.repeat * 100));
    sliders.reorder.set(Math.round(faults.reorder * 100));
    sliders.cut.set(Math.round((faults.cut_every_ms ?? 0) / 1000));
    name(faults);
  }

  /** @param {Faults} faults */
  function name(faults) {
    const preset = presetOf(faults);
    /** @type {HTMLInputElement} */ (find(`[name=preset][value=${preset}]`, form)).checked = true;
    setText(find('#network-summary', panel), { calm: 'calm', bad: 'bad', own: 'as you set it' }[preset]);
  }

  /** @returns {Faults} */
  function read() {
    const cutSeconds = sliders.cut.get();
    return {
      delay_ms: [sliders.delayMin.get(), sliders.delayMax.get()],
      repeat: sliders.repeat.get() / 100,
      reorder: sliders.reorder.get() / 100,
      cut_every_ms: cutSeconds === 0 ? null : cutSeconds * 1000,
    };
  }

  form.addEventListener('input', (event) => {
    const input = /** @type {HTMLInputElement} */ (event.target);
    if (input.name === 'preset') {
      if (input.value === 'calm' || input.value === 'bad') show(PRESETS[input.value]);
    } else {
      // The least delay pushes the greatest along, and the other way round.
      if (input.id === 'delay-min') sliders.delayMax.set(Math.max(sliders.delayMax.get(), sliders.delayMin.get()));
      if (input.id === 'delay-max') sliders.delayMin.set(Math.min(sliders.delayMin.get(), sliders.delayMax.get()));
      name(read());
    }
    isChanging = true;
    clearTimeout(timer);
    timer = setTimeout(change, PUT_DELAY_MS);
  });

  async function change() {
    const mine = timer;
    setText(note, await put(read()));
    if (mine === timer) isChanging = false;
  }

  async function refresh() {
    const faults = await get();
    if (!faults || isChanging) return;
    show(faults);
    panel.hidden = false;
  }

  panel.toggleAttribute('open', matchMedia('(min-width: 64rem)').matches);
  window.addEventListener('focus', refresh);
  return refresh;
}

/** @returns {Promise<Faults | null>} */
async function get() {
  try {
    const answer = await fetch(URL, { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null; // no answer in time: the status line says that the server is away
  }
}

/**
 * @param {Faults} faults
 * @returns {Promise<string>} What to tell the reader; nothing where all went well.
 */
async function put(faults) {
  try {
    const answer = await fetch(URL, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(faults),
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    return answer.ok ? '' : `The network did not take this: ${answer.status} ${answer.statusText}`;
  } catch {
    return 'The network cannot be reached just now. Move a slider to try again.';
  }
}

/** @param {Faults} faults */
function presetOf(faults) {
  const wanted = parts(faults);
  return /** @type {const} */ (['calm', 'bad']).find((preset) => parts(PRESETS[preset]) === wanted) ?? 'own';
}

/** @param {Faults} faults */
function parts({ delay_ms, repeat, reorder, cut_every_ms }) {
  return JSON.stringify([delay_ms, repeat, reorder, cut_every_ms ?? null]);
}

/**
 * @param {HTMLElement} form
 * @param {string} id
 * @param {(value: number) => string} words
 */
function slider(form, id, words) {
  const input = /** @type {HTMLInputElement} */ (find(`#${id}`, form));
  const output = find(`output[for=${id}]`, form);
  const tell = () => {
    setText(output, words(input.valueAsNumber));
    input.setAttribute('aria-valuetext', words(input.valueAsNumber));
  };
  input.addEventListener('input', tell);
  return {
    get: () => input.valueAsNumber,
    /** @param {number} value */
    set(value) {
      input.valueAsNumber = value;
      tell();
    },
  };
}
