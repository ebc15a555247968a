//! What setup puts into a tool's file comes out again to the byte, and twice is once.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold("setup", bytes));
