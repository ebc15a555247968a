//! A server reads back the client ID and the secret, whatever they are made of, from every form of the request.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("form", bytes));
