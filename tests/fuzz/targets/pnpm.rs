//! pnpm's call is answered with the token and nothing else.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("pnpm", bytes));
