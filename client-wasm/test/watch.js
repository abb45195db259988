/** A client under test, with all that it tells. */

import { connect } from 'highwater';

/** However busy the machine, a test that waits longer waits in vain. */
const DEADLINE_MS = 30_000;
// A test may mock these.
const { setTimeout, clearTimeout } = globalThis;

const KINDS = ['event', 'stale', 'duplicate', 'gap', 'unreadable', 'lost', 'reset', 'status'];

/** Connects, closes when the test ends, and keeps `[kind, told]` of everything in `told`. */
export function watch(t, options) {
  const client = connect({ topics: ['test:**'], after: 'earliest', backoffBaseMs: 1, ...options });
  const told = [];
  const waiting = new Set();
  for (const kind of KINDS) {
    client.on(kind, (what) => {
      told.push([kind, what]);
      waiting.forEach((check) => check());
    });
  }
  t.after(() => client.close());
  return {
    client,
    told,
    /** What was told of one kind. */
    of: (kind) => told.filter(([name]) => name === kind).map(([, what]) => what),
    /** Resolves once `holds()` does; it is asked after each thing told. In vain it rejects, and says what was told. */
    until: (holds) =>
      new Promise((resolve, reject) => {
        const deadline = setTimeout(() => {
          waiting.delete(check);
          reject(new Error(`waited ${DEADLINE_MS} ms in vain for ${holds}, told: ${JSON.stringify(told)}`));
        }, DEADLINE_MS);
        const check = () => {
          if (holds()) {
            clearTimeout(deadline);
            waiting.delete(check);
            resolve();
          }
        };
        waiting.add(check);
        check();
      }),
    /** Resolves once this status was told this many times. */
    status(status, times = 1) {
      return this.until(() => this.of('status').filter((change) => change.status === status).length >= times);
    },
    sequences: () => told.filter(([kind]) => kind === 'event').map(([, { event }]) => Number(event.sequence)),
  };
}

/** Resolves once the store's snapshot is such. */
export function until(store, holds) {
  return new Promise((resolve) => {
    const check = () => {
      if (holds(store.getSnapshot())) {
        unsubscribe();
        resolve(store.getSnapshot());
      }
    };
    const unsubscribe = store.subscribe(check);
    check();
  });
}

/** Each event that came is in exactly one of these. */
export function total({ applied, stale, duplicate, unreadable, discarded, dropped, held }) {
  return applied + stale + duplicate + unreadable + discarded + dropped + held;
}
