//! The subscription for frontends in Rust, in a browser against the real server: `tests/js/rust-frontend.test.mjs` runs these,
//! and is the world outside of the page.

#![cfg(target_family = "wasm")]

mod browser {
    mod faults;
    mod following;
    mod options;
    mod refusals;
    pub(crate) mod world;
}
