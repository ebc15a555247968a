//! A token goes where the configuration says and nowhere else, by any reader's reading of both.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("hosts", bytes));
