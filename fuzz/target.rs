//! The fuzz target of every property: the name of the binary is the name of the property.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    cloudconnexa_auth_fuzz::check(env!("CARGO_BIN_NAME"), bytes);
});
