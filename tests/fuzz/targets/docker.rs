//! A request of docker is for us only where any reader of its URL goes to a host of ours, and the answer holds nothing but the token.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("docker", bytes));
