//! WebAssembly's side of `cargo xtask bench wasm`: judges what a busy connection brings, without leaving WebAssembly in between. The native side is an
//! example of core, of the same source.

#![allow(missing_docs)] // what wasm_bindgen makes

#[path = "../../core/benches/core/events.rs"]
mod events;
#[path = "../../core/benches/core/traffic.rs"]
mod traffic;

use std::{cell::RefCell, hint::black_box};

use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    static TRAFFIC: traffic::Traffic = traffic::traffic();
    static READER: RefCell<Option<traffic::Reader>> = const { RefCell::new(None) };
}

/// Makes a reader that has judged what came before the events, and says how many events there are. They are made up by the first call.
#[wasm_bindgen]
pub fn prepare() -> usize {
    TRAFFIC.with(|traffic| {
        READER.set(Some(traffic::Reader::of(traffic)));
        traffic.events.len()
    })
}

/// Has the reader judge them all, and says how many moved the state by then.
#[wasm_bindgen]
pub fn judge() -> f64 {
    TRAFFIC.with(|traffic| {
        READER.with_borrow_mut(|reader| {
            reader.as_mut().map_or(0.0, |reader| reader.judge(black_box(&traffic.events)).applied as f64)
        })
    })
}
