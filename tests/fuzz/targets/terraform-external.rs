//! A query of Terraform's external data source is answered with texts alone, the token among them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cloudconnexa_auth_fuzz::hold(
    "terraform-external",
    bytes
));
