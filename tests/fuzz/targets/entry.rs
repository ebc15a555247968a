//! Any bytes in a cache file are a miss or an entry that writes back as itself and shows its token to nobody.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("entry", bytes));
