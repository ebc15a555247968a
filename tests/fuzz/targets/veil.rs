//! The token is hidden however curl's words are cut, and all else is shown as it was.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("veil", bytes));
