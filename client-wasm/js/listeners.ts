/** How listeners are called. */

/** Calls each with what is told. Those that are added or removed meanwhile are heeded the next time. */
export function tellAll<Told extends unknown[]>(listeners: Iterable<(...told: Told) => void>, ...told: Told): void {
  for (const listener of [...listeners]) {
    try {
      listener(...told);
    } catch (thrown) {
      report(thrown);
    }
  }
}

/** A listener's error is its owner's: it shows up like any that nobody caught, and nothing of ours stops. */
function report(thrown: unknown): void {
  if (typeof globalThis.reportError === 'function') {
    globalThis.reportError(thrown);
  } else {
    queueMicrotask(() => {
      throw thrown;
    });
  }
}
