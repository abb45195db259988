/** What a stream would have said, where something else says it. */

import type { HighwaterError } from './error.js';

/** What a stream would have said where a page is refused because of its cursor. */
export function resetOf({ code, problem }: HighwaterError): string | undefined {
  const position = code === 'cursor_ahead' ? problem?.['head'] : problem?.['earliest'];
  const isReset = ['epoch_changed', 'cursor_expired', 'cursor_ahead'].includes(code ?? '');
  return isReset && typeof position === 'string' ? resetFrame(code as string, position) : undefined;
}

export function resetFrame(reason: string, position: string): string {
  return frame({ kind: 'reset', reason }, position);
}

/** A control frame that tells where the stream is. */
export function frame(body: object, position: string): string {
  const [, sequence] = position.split('-');
  return `event: highwater\nprev: ${sequence}\ndata: ${JSON.stringify(body)}\nid: ${position}\n\n`;
}
