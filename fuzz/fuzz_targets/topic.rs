//! See [`highwater_fuzz::topic`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::topic::check(input));
