//! See [`highwater_fuzz::domain`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::domain::check(input));
