//! Any configuration is refused with its place or leads where any reader of its URLs would go.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("configuration", bytes));
