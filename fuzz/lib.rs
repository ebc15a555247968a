//! Checks a property with one input.

#[path = "../src/fuzzing/whatwg_url.rs"]
mod whatwg_url;

use cloudconnexa_auth::fuzzing::{ParsedUrl, property};

/// Panics if the property does not hold for these bytes.
pub fn check(name: &str, bytes: &[u8]) {
    property(name)(bytes, whatwg_url::parse_url);
}
