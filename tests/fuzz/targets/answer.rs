//! Any answer of the token endpoint is a token that a header can carry or words without any form of the secret.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("answer", bytes));
