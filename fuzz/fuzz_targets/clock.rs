//! See [`highwater_fuzz::clock`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::clock::check(input));
