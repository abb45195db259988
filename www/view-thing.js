/**
 * A run, a proposal, a piece of knowledge: how it stands with what the user just did, what of that is not confirmed, what was refused and
 * why, and the buttons for what may be done next.
 *
 * @import { EntityStore } from 'highwater'
 * @import { Action, Face, Values } from './review-words.js'
 */

import { find, make, setText } from './dom.js';
import { clockTime } from './words.js';

/** What a command's stage means to who gave it. */
const STAGES = {
  pending: 'not confirmed yet',
  conflicted: 'something else came first, trying again',
  acknowledged: 'recorded, on its way here',
};

/**
 * @param {object} options
 * @param {EntityStore<any>} options.store
 * @param {any} options.known  Its state as a list had it, to be shown until its events are here.
 * @param {(state: any) => Face} options.faceOf
 * @param {string} options.space
 * @param {(streams: string[]) => void} options.need  Called with the streams of the space that its next command depends on.
 * @param {(position: string) => void} options.did  Called with the place where a command of the user's was recorded.
 */
export function newThing({ store, known, faceOf, space, need, did }) {
  const [title, status, text, progress] = [make('h3'), make('span', 'state-word'), make('p', 'text'), make('progress')];
  const [facts, pending, refusal, buttons] = [make('dl', 'facts'), make('p', 'pending'), make('p', 'refusal'), make('div', 'buttons')];
  const link = make('a', 'to-task', 'Its task');
  const element = make('article', 'thing', make('header', '', title, status), text, progress, facts, link, pending, refusal, buttons);
  element.dataset.stream = store.stream;
  element.tabIndex = -1;
  pending.setAttribute('role', 'status');
  refusal.setAttribute('role', 'alert');
  progress.max = 100;
  progress.setAttribute('aria-label', 'Progress');
  /** @type {Map<string, string>} What is being done, by its id. */
  const doing = new Map();
  /** @type {HTMLFormElement | undefined} */
  let form;
  let drawnActions = '';

  function state() {
    const { status, state, revision, intents } = store.getSnapshot();
    return status === 'loading' && revision === 0 && intents.length === 0 ? known : state;
  }

  function draw() {
    const { status: standing, error, intents } = store.getSnapshot();
    const face = faceOf(state());
    element.dataset.tone = face.tone;
    element.classList.toggle('is-pending', intents.length > 0);
    element.setAttribute('aria-label', face.title);
    setText(title, face.title);
    setText(status, face.status);
    setText(text, face.text);
    progress.hidden = face.percent === undefined;
    progress.value = face.percent ?? 0;
    facts.replaceChildren(...face.facts.map(([name, value]) => make('div', '', make('dt', '', name), make('dd', '', value))));
    link.hidden = face.taskId === undefined;
    if (face.taskId) link.href = `task?${new URLSearchParams({ stream: `space:${space}:tasks:${face.taskId}` })}`;
    setText(pending, intents.map(({ id, stage }) => `${doing.get(id) ?? 'changing it'}: ${STAGES[stage]}`).join('; '));
    if (standing === 'failed') setText(refusal, `Its events could not be read: ${error?.message ?? ''}`);
    const underWay = intents.map(({ id }) => doing.get(id));
    drawButtons(face.actions.filter((action) => !underWay.includes(action.doing)));
    need(face.needs ?? []);
  }

  /** @param {Action[]} actions */
  function drawButtons(actions) {
    const key = actions.map(({ label, fields }) => [label, ...(fields ?? []).map(({ value }) => value)].join('\n')).join('\n\n');
    if (key === drawnActions) return;
    drawnActions = key;
    const focused = buttons.contains(document.activeElement) ? document.activeElement?.textContent : undefined;
    buttons.replaceChildren(...actions.map(newButton));
    if (actions.length === 0) close();
    const again = [...buttons.children].find(({ textContent }) => textContent === focused);
    if (focused && again instanceof HTMLElement) again.focus();
    else if (focused) element.focus({ preventScroll: true });
  }

  /** @param {Action} action */
  function newButton(action) {
    const button = make('button', '', action.label);
    button.type = 'button';
    button.addEventListener('click', () => {
      if (action.fields) ask(action, action.fields);
      else give(action, {});
    });
    return button;
  }

  /**
   * Asks for what a command needs, in place of the buttons.
   *
   * @param {Action} action
   * @param {NonNullable<Action['fields']>} fields
   */
  function ask(action, fields) {
    close();
    form = newForm(action, fields, {
      send(values) {
        close();
        give(action, values);
      },
      cancel() {
        close();
        const button = [...buttons.children].find(({ textContent }) => textContent === action.label);
        if (button instanceof HTMLElement) button.focus();
      },
    });
    buttons.hidden = true;
    element.append(form);
    find('input, textarea', form).focus();
  }

  function close() {
    if (form?.contains(document.activeElement)) element.focus({ preventScroll: true });
    form?.remove();
    form = undefined;
    buttons.hidden = false;
  }

  /**
   * @param {Action} action
   * @param {Values} values
   */
  function give(action, values) {
    setText(refusal, '');
    const { id, acknowledged, confirmed } = store.dispatch(action.command(values));
    doing.set(id, action.doing);
    confirmed.catch(() => {}).finally(() => doing.delete(id));
    acknowledged.then(did, (error) => setText(refusal, `“${action.label.replace('…', '')}” was refused: ${reasonOf(error)}.`));
    draw();
  }

  const quit = store.subscribe(draw);
  draw();
  return {
    element,
    give,
    /** Whether nothing is to be done or seen about it any more. */
    isSettled: () => drawnActions === '' && refusal.textContent === '' && store.getSnapshot().intents.length === 0 && !element.contains(document.activeElement),
    close() {
      quit();
      need([]);
      store.close();
      element.remove();
    },
  };
}

/**
 * @param {Action} action
 * @param {NonNullable<Action['fields']>} fields
 * @param {{ send: (values: Values) => void, cancel: () => void }} done
 */
function newForm({ label, sendLabel }, fields, { send, cancel }) {
  const inputs = fields.map(({ name, value = '', isLong, isRequired = false }) => {
    const input = make(isLong ? 'textarea' : 'input');
    Object.assign(input, { name, value, required: isRequired, maxLength: 2_000, autocomplete: 'off' });
    return input;
  });
  const ok = make('button', 'main', sendLabel ?? label.replace('…', ''));
  const no = make('button', 'quiet', 'Leave it');
  no.type = 'button';
  const form = make('form', 'ask', ...fields.map(({ label }, at) => make('label', '', make('span', '', label), /** @type {HTMLElement} */ (inputs[at]))),
    make('p', 'buttons', ok, no));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send(Object.fromEntries(inputs.map(({ name, value }) => [name, value.trim()])));
  });
  form.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') cancel();
  });
  no.addEventListener('click', cancel);
  return form;
}

/**
 * Why something was refused, in the server's words where it was the server.
 *
 * @param {any} error
 * @returns {string}
 */
export function reasonOf(error) {
  const reason = error?.problem?.detail ?? error?.message ?? String(error);
  return reason.replace(/\.$/, '').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, clockTime);
}
