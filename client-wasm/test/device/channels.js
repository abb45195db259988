/** `BroadcastChannel`s of one origin. From one tab to another messages stay in order; between any two, the world says. */

export class Channels {
  #world;
  #open = new Set();
  /** What frames, or pages in their place, a tab is being given just now. */
  given;
  /** Who has spoken under each term. */
  speakers = new Map();

  constructor(world) {
    this.#world = world;
  }

  open(name) {
    const channel = { name, tab: this.#world.current, onmessage: undefined };
    this.#open.add(channel);
    channel.postMessage = (message) => this.#post(channel, message);
    channel.close = () => this.#open.delete(channel);
    return channel;
  }

  /** What a tab has said may be lost with it, from any word on. */
  forget(tab) {
    this.#open.forEach((channel) => channel.tab === tab && this.#open.delete(channel));
    for (const key of this.#world.ready(`message ${tab.number} `)) {
      this.#world.unqueue(key, this.#world.random(this.#world.length(key) + 1));
    }
  }

  #post(from, message) {
    if (message.term !== undefined) {
      this.speakers.set(message.term, (this.speakers.get(message.term) ?? new Set()).add(from.tab));
    }
    for (const to of this.#open) {
      if (to !== from && to.name === from.name) {
        const data = structuredClone(message);
        const hear = () => {
          if (this.#open.has(to)) {
            this.given = data.kind === 'frames' || data.kind === 'page' ? data : undefined;
            to.onmessage?.({ data });
            this.given = undefined;
          }
        };
        this.#world.queue(`message ${from.tab.number} ${to.tab.number}`, to.tab, hear, data.kind);
      }
    }
  }
}
