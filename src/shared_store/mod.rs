//! The values that hosts share for one identity, on a Redis or Valkey server. The values are sealed
//! and the keys are derived. docs/fleet.md describes the format.
//!
//! `address` parses the address of the store. `seal` makes values that only a holder of the client
//! secret can open. `resp` implements the protocol, `connector` opens connections, and `redis` is a
//! [`Store`]. A problem here never fails a request: an invalid value is a cache miss, and a problem
//! with the store is a [`StoreError`], after which the token provider continues without the store.

mod address;
mod connector;
mod redis;
mod resp;
mod seal;

use std::time::Duration;

use thiserror::Error;

pub(crate) use address::Address;
pub(crate) use connector::{Account, Connector};
pub(crate) use redis::Redis;
pub(crate) use seal::{Keys, Kind, Sealer};

/// The largest value that is read or written, in bytes.
pub(crate) const LARGEST_VALUE: usize = 64 * 1024;

/// The values that the store has under the keys of one identity. A missing value is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StoreSnapshot {
    /// The sealed token, truncated if it is longer than the largest valid value.
    pub(crate) token: Vec<u8>,
    /// The sealed cool-down, truncated in the same way.
    pub(crate) cooldown: Vec<u8>,
    /// The holder of the lease.
    pub(crate) lease: Vec<u8>,
    /// The store's clock, in milliseconds since 1970.
    pub(crate) now_ms: i64,
}

/// The operations of a store. Each call ends within `limit` and takes one round trip on an open
/// connection.
pub(crate) trait Store {
    /// Reads all values of an identity.
    fn look(&self, names: &Keys, limit: Duration) -> Result<StoreSnapshot, StoreError>;

    /// Sets `key` to `holder` for `life` if the key does not exist, then reads all values. The
    /// first part of the result is whether the key was set.
    fn take(
        &self,
        names: &Keys,
        key: &str,
        holder: &str,
        life: Duration,
        limit: Duration,
    ) -> Result<(bool, StoreSnapshot), StoreError>;

    /// Sets `key` to a value for `life`, replacing any old value.
    fn put(
        &self,
        key: &str,
        value: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), StoreError>;

    /// Replaces `old` with `new` for `life`, only if the current value is `old`.
    fn replace(
        &self,
        key: &str,
        old: &[u8],
        new: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), StoreError>;

    /// Deletes `key`, only if its current value is `value`.
    fn remove(&self, key: &str, value: &[u8], limit: Duration) -> Result<(), StoreError>;
}

/// The reason why this process cannot use the store.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// The connection failed.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// The server's identity could not be verified.
    #[error("its TLS connection cannot be trusted: {0}")]
    Untrusted(String),
    /// The call exceeded its time limit.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The server returned an error.
    #[error("it answered \"{0}\"")]
    Response(&'static str),
    /// The response does not follow the protocol.
    #[error("its answer is not that of a Redis or Valkey server")]
    Garbage,
    /// The additional root certificates, the user or the password could not be loaded.
    #[error("{0}")]
    SetUp(String),
}
