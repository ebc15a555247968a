//! What every target does: hold the claim of its name against some bytes.

#[path = "../../src/claims/second.rs"]
mod second;

use cloudconnexa_auth::claims::{Place, named};

/// Panics where the claim does not hold.
pub fn hold(name: &str, bytes: &[u8]) {
    named(name)(bytes, second::url_crate);
}
