/** What the interop tests put into their page. */
interface Window {
    received(message: { id: string; data: string }): void;
    fetchEventSource: typeof import('@microsoft/fetch-event-source').fetchEventSource;
}
