//! The proxy is the variable's or none, never one for plain HTTP, and none for what NO_PROXY names.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("proxy", bytes));
