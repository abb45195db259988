//! What JavaScript calls: the methods of the one [`Session`] that an instance of the module holds.
//!
//! As objects that JavaScript owns, sessions would need code to count who uses them and to free them. So each has an
//! instance of its own, memory and all, which is collected as anything else is.

use std::cell::RefCell;

use wasm_bindgen::prelude::wasm_bindgen;

use crate::Session;

thread_local! {
    static SESSION: RefCell<Session> = const { RefCell::new(Session::new()) };
}

macro_rules! export {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(
            #[doc = concat!("See [`Session::", stringify!($name), "`].")]
            #[wasm_bindgen]
            pub fn $name($($argument: $type),*) $(-> $result)? {
                SESSION.with_borrow_mut(|session| session.$name($($argument),*))
            }
        )*
    };
}

export! {
    seed(seed: f64);
    start(
        held_events_max: usize,
        held_bytes_max: usize,
        intents_max: usize,
        connect_timeout_ms: u32,
        backoff_base_ms: u32,
        backoff_max_ms: u32
    ) -> bool;
    share();
    feed();
    listen(kinds: u32);
    happened(now: f64, event: u32, status: u16, delay_ms: u32) -> *const f64;
    spare(len: usize) -> *mut u8;
    received(now: f64, len: usize) -> *const f64;
    room(len: usize) -> *mut u8;
    fetched(now: f64, page: u32) -> *const f64;
    intend(lane: u32) -> i32;
    next_intent() -> i32;
    became(number: u32, fate: u32, sequence: f64) -> *const f64;
    stream_of() -> *const f64;
    counts() -> *const f64;
}
