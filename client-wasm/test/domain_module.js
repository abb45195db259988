/** A module of entities, called as it is: what a server is to do in a test, and what the package's own glue is held to. */

import { readFileSync } from 'node:fs';

const OURS = new URL(import.meta.resolve('highwater/domain.wasm'));

export class DomainModule {
  constructor(file = OURS) {
    const module = new WebAssembly.Module(readFileSync(file));
    const nothing = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, () => {}]));
    const imports = Object.fromEntries(WebAssembly.Module.imports(module).map(({ module: from }) => [from, nothing]));
    this.wasm = new WebAssembly.Instance(module, imports).exports;
    this.entities = JSON.parse(this.#answer(this.wasm.entities()));
  }

  open(entity, snapshot = '') {
    this.#give(snapshot);
    return this.wasm.open(this.entities.findIndex(({ name }) => name === entity));
  }

  /** Takes events as texts, whose last member is their data. */
  apply(number, events) {
    this.#give(events.map(lines).join('\n'));
    return JSON.parse(this.#answer(this.wasm.apply(number)));
  }

  snapshot(number) {
    return this.#answer(this.wasm.snapshot(number));
  }

  /** Decides, and leaves the state as it is. */
  decide(number, request) {
    const copy = this.wasm.copy(number);
    this.#give(JSON.stringify(request));
    const answer = JSON.parse(this.#answer(this.wasm.decide(copy)));
    this.wasm.close(copy);
    return answer;
  }

  #give(text) {
    const bytes = new TextEncoder().encode(text);
    const room = this.wasm.room(bytes.length);
    new Uint8Array(this.wasm.memory.buffer).set(bytes, room);
  }

  #answer(length) {
    return new TextDecoder().decode(new Uint8Array(this.wasm.memory.buffer, this.wasm.answer(), length));
  }
}

/** The attributes and the data, a line each. */
function lines(event) {
  const [attributes, data] = event.slice(0, -1).split(/,"data":(.*)/s);
  return `${attributes}}\n${data ?? ''}`;
}
