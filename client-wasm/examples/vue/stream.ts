/** A stream's state in Vue 3. */

import type { Client, Dispatched, Intent, Snapshot, StateOptions } from 'highwater';
import { onScopeDispose, type ShallowRef, shallowRef } from 'vue';

export interface Stream<State> {
  readonly snapshot: Readonly<ShallowRef<Snapshot<State>>>;
  /** Appends what a user means to do. It shows at once. */
  readonly dispatch: (intent: Intent) => Dispatched;
}

/** Reads a stream as long as the component lives that calls this in its `setup`. */
export function useStream<State, Data = unknown>(client: Client, name: string, options: StateOptions<State, Data>): Stream<State> {
  const store = client.state(name, options);
  const snapshot = shallowRef(store.getSnapshot());
  store.subscribe(() => {
    snapshot.value = store.getSnapshot();
  });
  onScopeDispose(() => store.close());
  return { snapshot, dispatch: store.dispatch };
}
