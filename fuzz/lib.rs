//! Checks a property with one input.

#[path = "../src/fuzzing/url_crate.rs"]
mod url_crate;

use cloudconnexa_auth::fuzzing::{ParsedUrl, property};

/// Panics if the property does not hold for these bytes.
pub fn check(name: &str, bytes: &[u8]) {
    property(name)(bytes, url_crate::url_crate);
}
