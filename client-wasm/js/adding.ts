/** How a topic is added to those that are followed. */

import { readLogPage } from './requests.js';
import type { Settings } from './settings.js';
import { whileHeard } from './timing.js';

/** Reads a topic alone, from a place to where the log ends now, page by page; answers where that is. Throws where the server refuses it. */
export async function readTopic(settings: Settings, topic: string, after: string, signal: AbortSignal, take: (page: string) => void): Promise<string> {
  for (let from = after; ; ) {
    const page = await whileHeard(settings.connectTimeoutMs, signal, (progress) => readLogPage(settings, [topic], from, progress));
    signal.throwIfAborted();
    take(page);
    const { next, head } = JSON.parse(page) as { next: string; head: string };
    if (next === head || next === from) {
      return next;
    }
    from = next;
  }
}
