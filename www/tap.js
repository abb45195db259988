/**
 * A `fetch` that lets somebody else read along: the very bytes of every event stream, before its own reader gets them.
 * While a lot arrives at once, it lets the browser draw and answer clicks in between.
 */

/** Both readers get pieces of at most this, so that neither is ever far ahead of the other. */
const PIECE_LIMIT_BYTES = 16 * 1024;
/** After this much work at a stretch, the browser gets its turn. */
const BUSY_LIMIT_MS = 24;

/**
 * @param {() => (chunk: Uint8Array) => void} newReader  Called for each connection; what it returns, for each chunk.
 * @returns {typeof fetch}
 */
export function tappedFetch(newReader) {
  return async (input, init) => {
    const answer = await fetch(input, init);
    const isStream = answer.headers.get('content-type')?.startsWith('text/event-stream');
    if (!answer.ok || !answer.body || !isStream) return answer;
    // Not `tee()`: that would buffer without bound for whichever reader is slower.
    const { status, statusText, headers } = answer;
    return new Response(tap(answer.body, newReader()), { status, statusText, headers });
  };
}

/**
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @param {(chunk: Uint8Array) => void} read
 */
function tap(body, read) {
  const source = body.getReader();
  let chunk = new Uint8Array();
  let restedAt = performance.now();

  return new ReadableStream({
    async pull(controller) {
      while (chunk.length === 0) {
        const { done, value } = await source.read();
        if (done) return controller.close();
        chunk = value;
      }
      if (performance.now() - restedAt > BUSY_LIMIT_MS) {
        await new Promise((resolve) => setTimeout(resolve));
        restedAt = performance.now();
      }
      const piece = chunk.subarray(0, PIECE_LIMIT_BYTES);
      chunk = chunk.subarray(piece.length);
      read(piece);
      controller.enqueue(piece);
    },
    cancel: (reason) => source.cancel(reason),
  }, { highWaterMark: 0 });
}
