//! A request of `store` or `erase` is read in one way only, and an error about it shows no secret.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("helper", bytes));
