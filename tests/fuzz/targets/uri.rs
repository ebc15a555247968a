//! A URI that is read has the scheme, host and port that any reader gives it, no user info, and prints back as itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("uri", bytes));
