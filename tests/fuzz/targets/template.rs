//! A template is filled with what it names and nothing else, and any text can be written as one.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("template", bytes));
