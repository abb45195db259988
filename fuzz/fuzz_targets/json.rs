//! See [`highwater_fuzz::json`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::json::check(input));
