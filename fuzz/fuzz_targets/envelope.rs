//! See [`highwater_fuzz::envelope`].
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| highwater_fuzz::envelope::check(input));
