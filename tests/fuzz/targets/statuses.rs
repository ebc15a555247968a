//! curl's statuses are the same however its headers arrive, and a refusal is one that a server told.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("statuses", bytes));
