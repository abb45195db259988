//! WebAssembly's side of `cargo xtask bench wasm`: judges what a busy connection brings, without leaving WebAssembly in between. The native side is an
//! example of core, of the same source.

#![allow(missing_docs)] // what wasm_bindgen makes

#[path = "../../core/benches/core/events.rs"]
mod events;
#[path = "../../core/benches/core/traffic.rs"]
mod traffic;

use std::{hint::black_box, sync::OnceLock};

use wasm_bindgen::prelude::wasm_bindgen;

static TRAFFIC: OnceLock<Vec<traffic::Sent>> = OnceLock::new();

/// How many events there are. They are made up by the first call.
#[wasm_bindgen]
pub fn events() -> usize {
    TRAFFIC.get_or_init(traffic::traffic).len()
}

/// Judges them all, and says how many moved the state.
#[wasm_bindgen]
pub fn judge() -> f64 {
    traffic::judge(black_box(TRAFFIC.get_or_init(traffic::traffic))).applied as f64
}
