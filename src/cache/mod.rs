//! What all processes of one user know of one identity: its token, the form of request that
//! worked, and when not to ask again.
//!
//! Two files per identity: `<key>.v1.json`, read without a lock and replaced whole, and `<key>.lock`, the
//! only file that is ever locked. This room knows neither OAuth nor profiles. Nothing
//! in it is worth failing for: whatever is wrong with an entry makes it a miss.

mod digest;
mod entry;
mod format;
#[cfg(any(test, fuzzing))]
#[path = "../fuzzing/cache.rs"]
pub(crate) mod fuzzing;
mod key;
mod store;

pub(crate) use digest::SecretDigest;
pub(crate) use entry::{CachedToken, Cooldown, Entry, Reason, Scope};
pub(crate) use key::{Identity, Key};
pub(crate) use store::{Cache, Slot};
