/**
 * What most people write by hand to follow an event stream: cut it into messages, parse each, apply it at once, in the
 * order in which it arrived. It looks right, and on a good network it is.
 *
 * @import { CloudEvent } from './types.js'
 */

/** More than any server of ours sends as one message. */
const MESSAGE_LIMIT_CHARS = 4 * 1024 * 1024;

/**
 * A reader of one connection's bytes.
 *
 * @param {{ onEvent: (event: CloudEvent) => void, onReset: () => void }} handlers
 * @returns {(chunk: Uint8Array) => void}
 */
export function naiveReader({ onEvent, onReset }) {
  const decoder = new TextDecoder();
  let rest = '';

  return (chunk) => {
    const messages = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
    rest = (messages.pop() ?? '').slice(0, MESSAGE_LIMIT_CHARS);
    for (const message of messages) {
      const fields = message.split('\n');
      const data = parse(fields.find((field) => field.startsWith('data:'))?.slice('data:'.length));
      const isControl = fields.some((field) => field.startsWith('event:'));
      if (isControl && data?.kind === 'reset') onReset();
      if (!isControl && data) onEvent(data);
    }
  };
}

/** @param {string | undefined} json */
function parse(json) {
  try {
    return json ? JSON.parse(json) : null;
  } catch {
    return null; // what cannot be read is lost, and nobody hears of it
  }
}
