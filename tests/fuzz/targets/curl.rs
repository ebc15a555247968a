//! Arguments that curl is started with hold no second URL and nothing that gives the token away.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("curl", bytes));
