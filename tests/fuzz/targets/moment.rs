//! A moment is told in the one form that every caller reads, and never later than it is.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("moment", bytes));
