/** A stream's state in Svelte 5. */

import type { Client, Dispatched, Intent, Snapshot, StateOptions, Store } from 'highwater';
import { createSubscriber } from 'svelte/reactivity';

export interface Stream<State> {
  /** What markup, `$derived` and `$effect` follow. The stream is read as long as one of them does. */
  readonly current: Snapshot<State>;
  /** Appends what a user means to do. It shows at once. */
  dispatch(intent: Intent): Dispatched;
}

export function stream<State, Data = unknown>(client: Client, name: string, options: StateOptions<State, Data>): Stream<State> {
  const before: Snapshot<State> = { status: 'loading', state: options.initial, confirmed: options.initial, intents: [], revision: 0, version: 0 };
  let store: Store<State> | undefined;
  const follow = createSubscriber((update) => {
    const opened = client.state(name, options);
    opened.subscribe(update);
    store = opened;
    return () => {
      store = undefined;
      opened.close();
    };
  });
  return {
    get current() {
      follow();
      return store?.getSnapshot() ?? before;
    },
    dispatch(intent) {
      if (!store) {
        throw new Error(`nothing shows ${name}`);
      }
      return store.dispatch(intent);
    },
  };
}
