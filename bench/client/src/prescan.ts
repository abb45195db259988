/** An event's header by hand, from the text before its data. */

import type { Header } from './typescript.js';

/**
 * A quote inside a string of JSON has a backslash before it, and no attribute but `data` is an object: so a name with its quotes is
 * found only where it is one. What does not stand in the server's order is left to who parses it all.
 */
export function prescan(text: string): Header | undefined {
  const end = text.indexOf(',"data":');
  const subject = valueOf(text, ',"subject":"', 0, '"');
  const sequence = valueOf(text, ',"sequence":"', subject.end, '"');
  const revision = valueOf(text, ',"revision":', sequence.end, ',');
  const version = valueOf(text, ',"version":', revision.end, ',');
  const header = { subject: subject.text, sequence: sequence.text, revision: Number(revision.text), version: Number(version.text) };
  const isWhole = version.start !== -1 && version.start < end && !header.subject.includes('\\');
  const isHeader = header.sequence.length === 16 && Number.isInteger(header.revision) && Number.isInteger(header.version);
  return isWhole && isHeader ? header : undefined;
}

interface Value {
  /** Below 0 where there is none: then nothing after it is found either. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function valueOf(text: string, name: string, from: number, closing: string): Value {
  const found = from === -1 ? -1 : text.indexOf(name, from);
  if (found === -1) {
    return { start: -1, end: -1, text: '' };
  }
  const start = found + name.length;
  const end = text.indexOf(closing, start);
  return { start, end, text: text.slice(start, end) };
}
