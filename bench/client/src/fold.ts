/** A state that is folded of the events that a client hands on, as an application would. */

import type { CloudEvent } from './client.js';

interface Task {
  events: number;
  version: number;
  hash: string;
  failed: number;
}

interface Data {
  readonly hash: string;
  readonly runs: readonly { readonly passed: boolean }[];
}

export class Fold {
  readonly tasks: Map<string, Task> = new Map();
  position = '';

  readonly accept = ({ subject, version, data }: CloudEvent, position: string): void => {
    const { hash, runs } = data as Data;
    const events = (this.tasks.get(subject)?.events ?? 0) + 1;
    const failed = runs.reduce((count, { passed }) => count + (passed ? 0 : 1), 0);
    this.tasks.set(subject, { events, version, hash, failed });
    this.position = position;
  };
}
