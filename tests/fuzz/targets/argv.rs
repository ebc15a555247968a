//! Any command line is read or refused in words fit for a terminal, and what is read of it stood in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("argv", bytes));
