//! See [`highwater_fuzz::position`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::position::check(input));
