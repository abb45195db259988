/** The event streams that are measured with: what a server would send, byte for byte, and what of it is to be dropped. */

import { randomNumbers } from '../../../client-wasm/test/random.js';

export interface Shape {
  /** How long an event's data is, within a few bytes. */
  readonly dataBytes: number;
  /** How many of a hundred events are not to move the state: one half came before, the other is of an old version. */
  readonly droppedPercent: number;
  readonly chunkEvents: number;
  readonly events: number;
}

const EPOCH = 'k3x9q7ma';
const STREAMS = 40;
/** So far back a repeated event lies at most. */
const REPEATED_MAX = 100;

const LINE = 'if (left === "right") {\n  return 0;\n}\n';
/** With its escapes. */
const LINE_BYTES = JSON.stringify(LINE).length - 2;

interface Stream {
  readonly name: string;
  revision: number;
  version: number;
}

/** The stream in whole chunks of so many events. */
export function chunks(shape: Shape): Uint8Array[] {
  const all = frames(shape);
  const encoder = new TextEncoder();
  return Array.from({ length: Math.ceil(all.length / shape.chunkEvents) }, (_, at) =>
    encoder.encode(all.slice(at * shape.chunkEvents, (at + 1) * shape.chunkEvents).join('')),
  );
}

/** Its frames. */
export function frames({ dataBytes, droppedPercent, events }: Shape): string[] {
  const random = randomNumbers(events + dataBytes + droppedPercent);
  const streams: Stream[] = Array.from({ length: STREAMS }, (_, at) => ({ name: `space:42:tasks:task-${1000 + at}`, revision: 0, version: 0 }));
  const recorded: string[] = [];
  return Array.from({ length: events }, () => {
    const stream = streams[random(STREAMS)]!;
    const isDropped = stream.revision > 0 && random(100) < droppedPercent;
    if (isDropped && random(2) === 0) {
      return recorded[recorded.length - 1 - random(Math.min(recorded.length, REPEATED_MAX))]!;
    }
    stream.revision += 1;
    stream.version += isDropped ? 0 : 1;
    const frame = frameOf(stream, isDropped ? stream.version - 1 : stream.version, recorded.length + 1, dataBytes, random);
    recorded.push(frame);
    return frame;
  });
}

function frameOf({ name, revision }: Stream, version: number, sequence: number, dataBytes: number, random: (limit: number) => number): string {
  const envelope = JSON.stringify({
    specversion: '1.0',
    id: `019aa2f4-6a53-7c1e-9a57-${String(sequence).padStart(12, '0')}`,
    source: 'corrector',
    type: 'task.correction_completed.v1',
    subject: name,
    time: '2026-11-20T12:23:40.199775Z',
    recordedtime: '2026-11-20T12:23:40.201112Z',
    datacontenttype: 'application/json',
    sequence: String(sequence).padStart(16, '0'),
    revision,
    version,
    clock: `corrector=${version},generator=1,tester=${revision}`,
    data: data(dataBytes, random),
  });
  return `prev: ${sequence - 1}\ndata: ${envelope}\nid: ${EPOCH}-${sequence}\n\n`;
}

/** A program and how its tests went: text with escapes, numbers, and small objects. */
function data(bytes: number, random: (limit: number) => number): unknown {
  const hash = String(random(2 ** 32)).padStart(10, '0');
  const runs = Array.from({ length: Math.ceil(bytes / 200) }, (_, number) => ({ case: number, passed: random(2) === 0, ms: random(1000) / 8 }));
  const codeBytes = bytes - JSON.stringify({ hash, runs, code: '' }).length;
  const lines = Math.ceil(codeBytes / LINE_BYTES);
  return { hash, runs, code: LINE.repeat(lines).slice(0, Math.round(codeBytes * (LINE.length / LINE_BYTES))) };
}
