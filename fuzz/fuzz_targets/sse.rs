//! See [`highwater_fuzz::sse`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::sse::check(input));
