/** What tests put into their pages. */
interface Window {
    // The interop tests.
    received(message: { id: string; data: string }): void;
    fetchEventSource: typeof import('@microsoft/fetch-event-source').fetchEventSource;

    // The test of a page's memory: of its WebAssembly, and what it follows.
    memories: WebAssembly.Memory[];
    living: {
        client: import('highwater').Client;
        store: import('highwater').Store<number>;
        told: { event: number; stale: number; iterated: number };
        iterated: EventTarget;
    };

    // The test of the engines; `following` once it follows something.
    following: {
        client: import('highwater').Client;
        told: { position: string; revision: number; data: unknown }[];
        changed: EventTarget;
    };

    // The tests of tabs.
    tab: {
        name: string;
        client: import('highwater').Client;
        store: import('highwater').Store<unknown[]> | undefined;
        iterator?: AsyncIterator<import('highwater').Told, undefined>;
        changed: EventTarget;
        told: string[];
        notices: [string, unknown][];
        stood: string[];
        streams: number;
    };
    lost: Promise<string>;
    heard: Promise<unknown>;
    refusal: Promise<number>;

    // The test of entities.
    task: {
        store: import('highwater').EntityStore<import('highwater/domain').TaskState, import('highwater/domain').TaskCommand>;
        changed: EventTarget;
        /** Status and bugs, each time that something changed. */
        seen: string[];
    };

    // The chaos test.
    tell(told: import('./chaos-tab.mjs').Told): void;
    recorded: {
        came: number;
        /** Whether a stream is among the topics. */
        isOurs(stream: string): boolean;
        /** Another connection begins: what has not come whole of the one before will not. */
        connects(): void;
    };
    chaos: {
        caughtUp(position: string, revision: number): Promise<void>;
        report(): import('./chaos-tab.mjs').Report;
    };
}
