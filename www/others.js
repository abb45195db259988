/**
 * The states that decisions depend on beside their own: each is there once, as long as somebody needs it. So a button shows what it does
 * also where the network has just gone.
 */

/**
 * @param {(stream: string) => { close: () => void }} open
 */
export function newOthers(open) {
  /** @type {Map<string, { store: { close: () => void }, users: number }>} */
  const kept = new Map();

  /** @param {string} stream */
  function take(stream) {
    const known = kept.get(stream) ?? { store: open(stream), users: 0 };
    known.users += 1;
    kept.set(stream, known);
  }

  /** @param {string} stream */
  function leave(stream) {
    const known = kept.get(stream);
    if (!known) return;
    known.users -= 1;
    if (known.users > 0) return;
    known.store.close();
    kept.delete(stream);
  }

  /**
   * What one of its users needs: from now on these, and no others.
   *
   * @returns {(streams: string[]) => void}
   */
  return function newUser() {
    /** @type {Set<string>} */
    let held = new Set();
    return (streams) => {
      const wanted = new Set(streams);
      const before = held;
      held = wanted;
      for (const stream of wanted) if (!before.has(stream)) take(stream);
      for (const stream of before) if (!wanted.has(stream)) leave(stream);
    };
  };
}
