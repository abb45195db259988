/** A server that decides commands, over a log in memory, and that a test can make misbehave. */

import { connect } from 'highwater';
import { DomainModule } from './domain_module.js';
import { append, Log, position, ready, refuse, serve } from './log_server.js';

const STATUSES = { invalid: 400, not_found: 404, conflict: 409 };

export class CommandServer {
  log = new Log();
  /** Requests for commands, as they came. */
  commands = [];
  /** Whether event streams tell nothing new. */
  isSilent = false;
  /** Whether no command is taken. */
  isDown = false;
  #t;
  #domain;
  #numbers = new Map();
  #streams = new Set();
  #held = Promise.resolve();
  /** Lets commands go on that are held. */
  release = () => {};

  static async start(t, { wasm } = {}) {
    const server = new CommandServer();
    server.#t = t;
    server.#domain = new DomainModule(wasm);
    const follow = (stream, { after = server.log.events.length }) => {
      server.#streams.add(stream);
      stream.on('close', () => server.#streams.delete(stream));
      stream.write(server.log.frames(after).join('') + ready(server.log.events.length));
    };
    const answer = (request, response, url) => {
      if (request.method === 'POST') {
        void (url.pathname.startsWith('/v1/commands/') ? server.#command(request, response, url) : append(server.log, request, response, url, (event) => server.#take(event)));
      }
      return request.method === 'POST';
    };
    Object.assign(server, await serve(t, server.log, follow, answer));
    return server;
  }

  connect(options) {
    const client = connect({ url: this.url, topics: ['space:**'], backoffBaseMs: 1, ...options });
    this.#t.after(() => client.close());
    return client;
  }

  /** Resolves once the client is live. */
  async isLive(client) {
    while (client.status !== 'live') {
      await new Promise((resolve) => client.on('status', resolve));
    }
  }

  /** Records what others do. */
  record({ stream = 'space:1:tasks:task-abc', data, ...members }) {
    this.#take(this.log.append({ stream, data: JSON.stringify(data), ...members }));
  }

  /** Decides no command until it is released. */
  hold() {
    this.#held = new Promise((resolve) => {
      this.release = resolve;
    });
  }

  /** The state of a stream, by what is in the log. */
  number(stream) {
    const known = this.#numbers.get(stream);
    const { name } = this.#domain.entities.find(({ streams }) => streams.split(':').every((segment, at) => segment === '*' || segment === stream.split(':')[at])) ?? {};
    if (known === undefined && name !== undefined) {
      this.#numbers.set(stream, this.#domain.open(name));
    }
    return this.#numbers.get(stream);
  }

  snapshot(stream) {
    return this.#domain.snapshot(this.number(stream));
  }

  #take(event) {
    const number = this.number(event.stream);
    if (number !== undefined) {
      this.#domain.apply(number, [event.text]);
    }
    if (!this.isSilent) {
      this.#streams.forEach((stream) => stream.write(this.log.frames(event.sequence - 1)[0]));
    }
  }

  async #command(request, response, { pathname }) {
    let text = '';
    for await (const chunk of request) {
      text += chunk;
    }
    if (this.isDown) {
      return refuse(response, 503, { code: 'overloaded' });
    }
    const body = JSON.parse(text);
    const { headers } = request;
    this.commands.push({ url: pathname, headers, body });
    await this.#held;
    const [entity, stream] = pathname.split('/').slice(3).map(decodeURIComponent);
    const expected = headers['if-match'] ?? (headers['if-none-match'] ? `"${this.log.epoch}.0"` : undefined);
    const revision = this.log.revision(stream);
    if (expected !== undefined && expected !== `"${this.log.epoch}.${revision}"`) {
      return refuse(response, 412, { code: 'revision_conflict', revision });
    }
    const id = headers['idempotency-key'];
    const { refused, events } = this.#decide(entity, stream, id, body);
    if (refused) {
      return refuse(response, STATUSES[refused.kind], { code: refused.code, detail: refused.detail });
    }
    const recorded = events.map(({ subject, source, type, version = this.#version(subject), id: eventId, data }) =>
      this.log.append({ stream: subject, source, type, version, id: eventId, commandid: id, data: JSON.stringify(data) }),
    );
    const places = recorded.map(({ stream, sequence, revision }, at) => ({ id: events[at].id, stream, sequence, revision }));
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ position: position(this.log.events.length, this.log.epoch), events: places }));
    recorded.forEach((event, at) => this.#take(Object.assign(event, { id: events[at].id })));
  }

  #decide(entity, stream, id, { type, data, source, time, version, clock, causationid, correlationid }) {
    const loaded = [];
    for (;;) {
      const request = { entity, stream, command: JSON.stringify({ type, data }), id, source, time, version, clock, causationid, correlationid, now: time, loaded };
      const decided = this.#domain.decide(this.number(stream), request);
      if (!decided.needs) {
        return decided;
      }
      loaded.push([decided.needs, this.number(decided.needs)]);
    }
  }

  #version(stream) {
    return this.log.events.filter((event) => event.stream === stream).at(-1)?.version ?? 0;
  }
}
