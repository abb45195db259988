//! See [`highwater_fuzz::time`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::time::check(input));
