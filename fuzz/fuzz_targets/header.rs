//! See [`highwater_fuzz::header`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::header::check(input));
