//! The cache that all processes of one user share. For each identity it holds the token, the form
//! of request that worked, and the cool-downs.
//!
//! Each identity has two files. `<key>.v1.json` is the entry: it is read without a lock and
//! replaced as a whole. `<key>.lock` is the only file that is locked. This module does not depend
//! on OAuth or profiles. An invalid entry is a cache miss and never an error.

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
