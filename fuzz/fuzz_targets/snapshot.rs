//! See [`highwater_fuzz::snapshot`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::snapshot::check(input));
