//! A duration is what its units add up to, and is never shown shorter.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("duration", bytes));
