//! A server's challenges decide in which form git is given the token, and nothing more.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("challenges", bytes));
