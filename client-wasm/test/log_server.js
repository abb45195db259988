/**
 * A server that speaks the protocol over a log in memory, and that a test can make misbehave: what each connection is sent is the
 * test's own choice, pages are always true.
 */

import { createServer } from 'node:http';
import { once } from 'node:events';

export const EPOCH = 'k3x9q7ma';

/** The text of an event. `members` overrides what stands in it; `data` is JSON text, put in as it is. */
export function envelope(sequence, revision, { version = 0, stream = 'test:one', data = `{"n":${sequence}}`, id = `event-${sequence}`, source = 'tester', type = 'test.happened.v1', commandid } = {}) {
  const attributes = JSON.stringify({
    specversion: '1.0',
    id,
    source,
    type,
    subject: stream,
    time: '2026-11-21T10:00:00Z',
    recordedtime: '2026-11-21T10:00:00Z',
    datacontenttype: 'application/json',
    sequence: String(sequence).padStart(16, '0'),
    revision,
    version,
    clock: `${encodeURIComponent(source)}=${sequence}`,
    commandid,
  });
  return `${attributes.slice(0, -1)},"data":${data}}`;
}

export function position(sequence, epoch = EPOCH) {
  return `${epoch}-${sequence}`;
}

/** An event as a frame. */
export function frame(sequence, prev, text, epoch = EPOCH) {
  return `id: ${position(sequence, epoch)}\nprev: ${prev}\ndata: ${text}\n\n`;
}

/** A control frame; without `at` it has no id. */
export function control(body, { at, prev = at, epoch = EPOCH } = {}) {
  const place = at === undefined ? '' : `id: ${position(at, epoch)}\nprev: ${prev}\n`;
  return `${place}event: highwater\ndata: ${JSON.stringify(body)}\n\n`;
}

export function ready(at, heartbeatMs = 15_000) {
  return control({ kind: 'ready', heartbeat_ms: heartbeatMs }, { at });
}

/** A log of events: their texts, in order of their sequences. */
export class Log {
  epoch = EPOCH;
  events = [];
  #revisions = new Map();

  append(members = {}) {
    const stream = members.stream ?? 'test:one';
    const revision = (this.#revisions.get(stream) ?? 0) + 1;
    this.#revisions.set(stream, revision);
    const sequence = this.events.length + 1;
    const event = { sequence, revision, stream, version: members.version ?? 0, prev: sequence - 1, text: members.text ?? envelope(sequence, revision, { ...members, stream }) };
    this.events.push(event);
    return event;
  }

  /** Where a stream is. */
  revision(stream) {
    return this.#revisions.get(stream) ?? 0;
  }

  frames(after = 0) {
    return this.events.slice(after).map(({ sequence, prev, text }) => frame(sequence, prev, text, this.epoch));
  }

  page(after, limit) {
    const events = this.events.slice(after, after + limit);
    const next = events.at(-1)?.sequence ?? this.events.length;
    const texts = events.map(({ text }) => text).join(',');
    return `{"events":[${texts}],"prev":${after},"next":"${position(next, this.epoch)}","head":"${position(this.events.length, this.epoch)}"}`;
  }

  streamPage(stream, fromRevision, limit) {
    const all = this.events.filter((event) => event.stream === stream);
    const texts = all.filter(({ revision }) => revision >= fromRevision).slice(0, limit).map(({ text }) => text);
    return `{"events":[${texts.join(',')}],"first_revision":1,"revision":${all.length},"version":${all.at(-1)?.version ?? 0}}`;
  }
}

/**
 * Answers an append as a server does: the same again as the first time, and none where the stream is not where it was expected. `appended`
 * is told of what is new.
 */
export async function append(log, request, response, url, appended = () => {}) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
  }
  const stream = decodeURIComponent(url.pathname.slice('/v1/streams/'.length));
  const { id, type, data = null, commandid, version } = JSON.parse(body);
  const known = log.events.find((event) => event.id === id);
  const revision = log.revision(stream);
  const { 'if-match': expected = revision > 0 ? `"${log.epoch}.${revision}"` : undefined, 'if-none-match': isNew } = request.headers;
  if (!known && (expected !== (revision > 0 ? `"${log.epoch}.${revision}"` : undefined) || (isNew && revision > 0))) {
    return refuse(response, 412, { code: 'revision_conflict', revision });
  }
  const event = known ?? Object.assign(log.append({ stream, id, type, data: JSON.stringify(data), commandid, version }), { id });
  const recorded = { id, sequence: event.sequence, revision: event.revision };
  response.writeHead(known ? 200 : 201, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ position: position(event.sequence, log.epoch), events: [recorded] }));
  if (!known) {
    appended(event);
  }
}

/** Answers with a problem document. */
export function refuse(response, status, problem) {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ status, detail: `refused: ${problem.code}`, ...problem }));
}

/** The place that a request's `after` names; `undefined` for `latest`, which is what the test says. */
export function afterOf(url) {
  const after = url.searchParams.get('after');
  if (after === 'latest') {
    return undefined;
  }
  return after === 'earliest' || after === null ? 0 : Number(after.split('-')[1]);
}

/**
 * Starts a server over `log`. `connection(stream, { after, number })` is called for each event stream; `stream.write` sends text,
 * `stream.end` closes, `stream.destroy` cuts. `answer(request, response, url)` may answer a request before anything else does, and
 * says so with `true`.
 */
export async function serve(t, log, connection, answer = () => false) {
  const requests = [];
  let connections = 0;
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://server');
    requests.push({ url, method: request.method, headers: request.headers });
    if (answer(request, response, url)) {
      return;
    }
    if (url.pathname.startsWith('/v1/streams/')) {
      const stream = decodeURIComponent(url.pathname.slice('/v1/streams/'.length));
      const from = Number(url.searchParams.get('from_revision'));
      response.setHeader('etag', `"${log.epoch}.${log.revision(stream)}"`);
      response.end(log.streamPage(stream, from, Number(url.searchParams.get('limit'))));
    } else if (request.headers.accept === 'application/json') {
      response.end(log.page(afterOf(url), Number(url.searchParams.get('limit'))));
    } else {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      connections += 1;
      const after = afterOf(url);
      connection(response, { after, isLatest: after === undefined, number: connections });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests };
}
