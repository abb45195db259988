/** What the page asks the server for beside what the package follows. An answer that is none is told in the server's words. */

const ANSWER_TIMEOUT_MS = 15_000;

/**
 * @param {string} path  Relative to the page.
 * @param {{ signal?: AbortSignal, headers?: Record<string, string> }} [options]
 * @returns {Promise<{ body: any, position: string }>}  With the position that the answer is as new as.
 */
export async function getJson(path, { signal, headers = {} } = {}) {
  const timeout = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const response = await fetch(path, { headers, signal: signal ? AbortSignal.any([signal, timeout]) : timeout }).catch((error) => {
    throw signal?.aborted ? error : new Error('the server did not answer');
  });
  const body = await response.json().catch(() => undefined);
  if (!response.ok) throw new RefusedError(response.status, body?.code, body?.detail ?? body?.title);
  if (body === undefined) throw new Error('the server’s answer is no JSON');
  return { body, position: response.headers.get('highwater-position') ?? '' };
}

/** The server answered, and not what was asked for. */
export class RefusedError extends Error {
  /**
   * @param {number} status
   * @param {string | undefined} code
   * @param {string | undefined} detail
   */
  constructor(status, code, detail) {
    super(detail ?? `the server answered ${status}`);
    this.status = status;
    this.code = code;
  }
}

/** @param {string} stream */
export function streamPath(stream) {
  return `v1/streams/${encodeURIComponent(stream)}`;
}
