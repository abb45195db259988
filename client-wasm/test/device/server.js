/** A server over a log in memory, as `fetch`: when it answers, and how much of a stream comes at a time, the world says. */

import { control, EPOCH, envelope, frame, position } from '../log_server.js';

const HEARTBEAT_MS = 15_000;
/** So many bytes of a stream come at a time, at most. */
const CHUNK_BYTES_MAX = 400;

const encoder = new TextEncoder();

export class Server {
  /** Whether it refuses, now and then. */
  isFaulty = true;
  /** Whether it refuses what is sent to it. */
  isRefusing = false;
  epoch = EPOCH;
  log = [];
  #world;
  #revisions = new Map();
  #requests = 0;
  #streams = new Set();
  /** What waits for the next event. */
  #waiting = new Set();

  constructor(world) {
    this.#world = world;
    world.setTimer(HEARTBEAT_MS, () => this.#streams.forEach((stream) => this.#heartbeat(stream)), undefined, HEARTBEAT_MS);
  }

  append(stream, members = {}) {
    const revision = (this.#revisions.get(stream) ?? 0) + 1;
    this.#revisions.set(stream, revision);
    const sequence = this.log.length + 1;
    const event = { sequence, revision, stream, id: members.id, text: envelope(sequence, revision, { ...members, stream }) };
    this.log.push(event);
    this.#streams.forEach((open) => this.#send(open, this.#frames(open)));
    this.#waiting.forEach((answer) => answer());
    return event;
  }

  /** The log is another one, and empty; all streams break. */
  replace(epoch) {
    this.epoch = epoch;
    this.log = [];
    this.#revisions.clear();
    this.#streams.forEach((stream) => this.#break(stream, new TypeError('the server was restored')));
  }

  /** What of the log these topics match, after a sequence. */
  of(topics, after = 0) {
    return this.log.filter(({ sequence, stream }) => sequence > after && topics.some((topic) => matches(topic, stream)));
  }

  /** Whether a tab has a stream open. */
  isRead(tab) {
    return [...this.#streams].some((stream) => stream.tab === tab);
  }

  /** One of the streams breaks. */
  cut() {
    const streams = [...this.#streams];
    if (streams.length > 0) {
      this.#break(this.#world.pick(streams), new TypeError('the connection was cut'));
    }
  }

  /** Nobody reads any more what a tab asked for. */
  forget(tab) {
    this.#streams.forEach((stream) => stream.tab === tab && this.#streams.delete(stream));
  }

  fetch = (url, { headers, signal, method, body }) => {
    const tab = this.#world.current;
    this.#requests += 1;
    const key = `fetch ${tab.number} ${this.#requests}`;
    // What is sent is there at once, as two that are under way could come in any order; its answer comes whenever that may be.
    const answer = method === 'POST' && !signal.aborted && this.#record(url, JSON.parse(body));
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      signal.addEventListener('abort', () => reject(signal.reason));
      this.#world.queue(key, tab, () => {
        if (signal.aborted) {
          return;
        }
        if (this.isFaulty && this.#world.once(12)) {
          return resolve(new Response(JSON.stringify({ status: 503, code: 'overloaded' }), { status: 503 }));
        }
        if (answer) {
          resolve(answer);
        } else if (headers.get('accept') === 'application/json') {
          this.#answer(key, tab, url, resolve);
        } else {
          resolve(this.#stream(key, tab, url, signal));
        }
      });
    });
  };

  /** Answers an append: the same again as the first time. */
  #record({ pathname }, { id, type, data, commandid }) {
    const known = this.log.find((event) => event.id === id);
    if (!known && this.isRefusing) {
      return new Response(JSON.stringify({ status: 400, code: 'invalid' }), { status: 400 });
    }
    const stream = decodeURIComponent(pathname.slice('/v1/streams/'.length));
    const { sequence, revision } = known ?? this.append(stream, { id, type, data: JSON.stringify(data), commandid });
    return new Response(JSON.stringify({ position: position(sequence, this.epoch), events: [{ id, sequence, revision }] }), { status: 201 });
  }

  /** A page; where it is to wait and there is nothing, not before there is. */
  #answer(key, tab, url, resolve) {
    if (this.#isOfAnother(url)) {
      const problem = { status: 410, code: 'epoch_changed', earliest: position(0, this.epoch) };
      return resolve(new Response(JSON.stringify(problem), { status: 410 }));
    }
    const after = this.#after(url);
    const answer = () => {
      this.#waiting.delete(answer);
      resolve(new Response(this.#page(url, after)));
    };
    const waitS = Number(url.searchParams.get('wait'));
    if (waitS === 0 || this.of(topicsOf(url), after).length > 0) {
      return answer();
    }
    const later = () => this.#waiting.has(later) && (this.#waiting.delete(later), this.#world.queue(key, tab, answer));
    this.#waiting.add(later);
    this.#world.setTimer(waitS * 1_000, later, undefined);
  }

  #page(url, after) {
    const events = this.of(topicsOf(url), after).slice(0, Number(url.searchParams.get('limit')));
    const isWhole = events.length === this.of(topicsOf(url), after).length;
    const next = isWhole ? this.log.length : events.at(-1).sequence;
    const texts = events.map(({ text }) => text).join(',');
    return `{"events":[${texts}],"prev":${after},"next":"${position(next, this.epoch)}","head":"${position(this.log.length, this.epoch)}"}`;
  }

  #stream(key, tab, url, signal) {
    const after = this.#after(url);
    const stream = { key, tab, topics: topicsOf(url), sent: after, last: after };
    const body = new ReadableStream({
      start: (controller) => {
        stream.controller = controller;
      },
      cancel: () => this.#close(stream),
    });
    signal.addEventListener('abort', () => this.#break(stream, signal.reason));
    this.#streams.add(stream);
    // History may begin before it is told where the stream stands, or after.
    const reset = this.#isOfAnother(url) ? this.#control({ kind: 'reset', reason: 'epoch_changed' }, 0, 0) : '';
    const frames = this.#frames(stream);
    this.#send(stream, reset + frames + this.#control({ kind: 'ready', heartbeat_ms: HEARTBEAT_MS }, this.log.length, stream.last));
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  }

  /** What is new for a stream. */
  #frames(stream) {
    let text = '';
    for (const { sequence, text: event } of this.of(stream.topics, stream.sent)) {
      text += frame(sequence, stream.last, event, this.epoch);
      stream.last = sequence;
    }
    stream.sent = this.log.length;
    return text;
  }

  #heartbeat(stream) {
    this.#send(stream, this.#control({ kind: 'heartbeat' }, this.log.length, stream.last));
  }

  #control(body, at, prev) {
    return control(body, { at, prev, epoch: this.epoch });
  }

  #send(stream, text) {
    let rest = encoder.encode(text);
    while (rest.length > 0) {
      const chunk = rest.slice(0, 1 + this.#world.random(CHUNK_BYTES_MAX));
      rest = rest.slice(chunk.length);
      this.#world.queue(stream.key, stream.tab, () => this.#streams.has(stream) && stream.controller.enqueue(chunk));
    }
  }

  #break(stream, reason) {
    if (this.#close(stream)) {
      this.#world.queue(stream.key, stream.tab, () => stream.controller.error(reason));
    }
  }

  #close(stream) {
    this.#world.unqueue(stream.key);
    return this.#streams.delete(stream);
  }

  #after(url) {
    const after = url.searchParams.get('after');
    return after === 'latest' ? this.log.length : Number((!this.#isOfAnother(url) && after.split('-')[1]) || 0);
  }

  /** Whether a place is in another log. */
  #isOfAnother(url) {
    const [epoch, sequence] = url.searchParams.get('after').split('-');
    return sequence !== undefined && epoch !== this.epoch;
  }
}

function topicsOf(url) {
  return url.searchParams.getAll('topic');
}

export function matches(topic, stream) {
  return topic === stream || (topic.endsWith(':**') && stream.startsWith(topic.slice(0, -2)));
}
