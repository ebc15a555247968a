//! A profile that is stored reads back as meant, changes no other, and comes out again to the byte.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("stored", bytes));
