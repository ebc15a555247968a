//! What is typed at the hidden question is what a terminal would have made of the same keys.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("typed", bytes));
