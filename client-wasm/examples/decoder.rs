//! The event-stream decoder by itself, for the tests of the wasm build: the package has no use for it and does not carry it.

#![allow(missing_docs)] // what wasm_bindgen makes

use highwater_core::sse::Decoder;
use wasm_bindgen::prelude::wasm_bindgen;

/// See [`Decoder`].
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct RawDecoder(Decoder);

#[wasm_bindgen]
impl RawDecoder {
    /// A decoder at the start of a stream.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a chunk as the client does: written in place.
    pub fn push(&mut self, chunk: &[u8]) {
        self.0.spare(chunk.len()).copy_from_slice(chunk);
        self.0.commit(chunk.len());
    }

    /// Type, data and last event id of the next frame, if it is there, and the id that it carries itself, if it does; empty
    /// after a frame that is too large.
    pub fn next_frame(&mut self) -> Option<Vec<String>> {
        match self.0.next_frame() {
            Ok(frame) => frame.map(|frame| {
                let always = [frame.event, frame.data, frame.last_event_id];
                always.into_iter().chain(frame.id).map(|field| String::from_utf8_lossy(field).into_owned()).collect()
            }),
            Err(_) => Some(Vec::new()),
        }
    }

    /// The reconnection time, if the stream told one.
    #[must_use]
    pub fn retry_ms(&self) -> Option<f64> {
        self.0.retry_ms().map(|milliseconds| milliseconds as f64)
    }
}
