//! See [`highwater_fuzz::append`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::append::check(input));
