//! One `fetch` of the browser's: dropped, it is over on the network too.

use js_sys::{Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    AbortController, AbortSignal, Headers, ReadableStreamDefaultReader, RequestCache, RequestInit, Response,
};

use super::request::{Expected, Request, network};
use super::{Cause, Refusal};

const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// Longer than this nobody waits, whatever a server says.
const RETRY_AFTER_MS_MAX: f64 = 3_600_000.0;

/// Sends a request and checks its answer.
pub(super) async fn open(request: &Request) -> Result<Body, Cause> {
    let headers = request.headers().await?;
    let ending = Ending(AbortController::new().map_err(network)?);
    let answer = ask(&request.url, &headers, &ending.0.signal()).await.map_err(network)?;
    let reader = match answer.body() {
        Some(body) => Some(ReadableStreamDefaultReader::new(&body).map_err(network)?),
        None => None,
    };
    let body = Body { reader, _ending: ending };
    let header = |name| answer.headers().get(name).ok().flatten();
    if answer.status() != 200 {
        let retry_after_ms = header("retry-after").map_or(0, |value| retry_after_ms(&value));
        // Where the problem can't be read, the status says enough.
        let problem = body.read_all(PROBLEM_BYTES_MAX).await.unwrap_or_default();
        return Err(Cause::Refused(Refusal::read(answer.status(), retry_after_ms, &problem)));
    }
    match request.expected {
        Expected::Events => {
            let media_type = header("content-type").unwrap_or_else(|| "no type".into());
            if !media_type.starts_with("text/event-stream") {
                return Err(Cause::NoEventStream { media_type: media_type.into() });
            }
        }
        Expected::StreamPage(epoch) => {
            let is_of_another = |tag: String| !tag.starts_with(&format!("\"{epoch}."));
            if header("etag").is_some_and(is_of_another) {
                return Err(Cause::Replaced);
            }
        }
        Expected::Page => {}
    }
    Ok(body)
}

/// The body of an answer that is still coming.
pub(super) struct Body {
    reader: Option<ReadableStreamDefaultReader>,
    _ending: Ending,
}

impl Body {
    /// The next chunk; `None` at the end.
    pub(super) async fn read(&self) -> Result<Option<Uint8Array>, Cause> {
        let Some(reader) = &self.reader else { return Ok(None) };
        let result = reader.read().await.map_err(network)?;
        let member = |name| Reflect::get(&result, &JsValue::from_str(name)).map_err(network);
        if member("done")?.is_truthy() {
            return Ok(None);
        }
        member("value")?.dyn_into().map(Some).map_err(network)
    }

    /// All of it.
    async fn read_all(&self, bytes_max: usize) -> Result<Vec<u8>, Cause> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.read().await? {
            append(&mut bytes, &chunk, bytes_max)?;
        }
        Ok(bytes)
    }
}

/// Ends a request, and the answer that is still coming, when it is dropped.
struct Ending(AbortController);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[wasm_bindgen]
extern "C" {
    // Windows and workers have the same, but `web_sys` has one for each.
    #[wasm_bindgen(catch)]
    fn fetch(url: &str, init: &RequestInit) -> Result<Promise, JsValue>;
}

async fn ask(url: &str, headers: &Headers, signal: &AbortSignal) -> Result<Response, JsValue> {
    let init = RequestInit::new();
    init.set_headers_headers(headers);
    init.set_signal(Some(signal));
    init.set_cache(RequestCache::NoStore);
    fetch(url, &init)?.await?.dyn_into()
}

/// Appends a chunk, unless that would be too much.
pub(super) fn append(bytes: &mut Vec<u8>, chunk: &Uint8Array, bytes_max: usize) -> Result<(), Cause> {
    let start = bytes.len();
    let end = start + chunk.byte_length() as usize;
    if end > bytes_max {
        return Err(Cause::TooLong { bytes_max });
    }
    bytes.resize(end, 0);
    if let Some(room) = bytes.get_mut(start..) {
        chunk.copy_to(room);
    }
    Ok(())
}

/// `Retry-After` is a number of seconds or a date (RFC 9110).
fn retry_after_ms(value: &str) -> u32 {
    let milliseconds = match value.parse::<u32>() {
        Ok(seconds) => f64::from(seconds) * 1_000.0,
        Err(_) => js_sys::Date::parse(value) - js_sys::Date::now(),
    };
    // What is no date is no number, and becomes 0.
    milliseconds.clamp(0.0, RETRY_AFTER_MS_MAX) as u32
}
