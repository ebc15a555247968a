//! A lifetime leads to a day after today, or is the day that is written.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("lifetime", bytes));
