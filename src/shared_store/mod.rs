//! What hosts share of one identity, on a Redis or Valkey server: sealed values under derived
//! names. docs/fleet.md has the format.
//!
//! `address` reads where the store is, `seal` makes values that only the holder of the client
//! secret can open, `resp` speaks the protocol, `link` opens connections, `redis` is a [`Store`].
//! Nothing in it is worth failing for: whatever is wrong with a value makes it a miss, and whatever
//! is wrong with the store is a [`StoreError`] that the broker passes over.

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

/// What stands in the store under the names of one identity; an absent value is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StoreSnapshot {
    /// The sealed token; cut where it is longer than any that is ours.
    pub(crate) token: Vec<u8>,
    /// The sealed cool-down, likewise.
    pub(crate) cooldown: Vec<u8>,
    /// Who has the lease.
    pub(crate) lease: Vec<u8>,
    /// The store's clock, in milliseconds since 1970.
    pub(crate) now_ms: i64,
}

/// What a store does. Each call ends within `limit`, with one round trip on an open connection.
pub(crate) trait Store {
    /// Reads what there is.
    fn look(&self, names: &Keys, limit: Duration) -> Result<StoreSnapshot, StoreError>;

    /// Puts `holder` under `key` for `life` unless something stands there, then reads what there
    /// is; whether it did comes first.
    fn take(
        &self,
        names: &Keys,
        key: &str,
        holder: &str,
        life: Duration,
        limit: Duration,
    ) -> Result<(bool, StoreSnapshot), StoreError>;

    /// Puts a value under `key` for `life`, in the place of what stood there.
    fn put(
        &self,
        key: &str,
        value: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), StoreError>;

    /// Puts `new` in the place of `old` for `life`, only where `old` is what stands there.
    fn replace(
        &self,
        key: &str,
        old: &[u8],
        new: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), StoreError>;

    /// Removes `value`, only where it is what stands under `key`.
    fn remove(&self, key: &str, value: &[u8], limit: Duration) -> Result<(), StoreError>;
}

/// Why the store is of no use to this run.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    /// No connection.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// It did not prove who it is.
    #[error("its TLS connection cannot be trusted: {0}")]
    Untrusted(String),
    /// It took too long.
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// It answered with an error.
    #[error("it answered \"{0}\"")]
    Response(&'static str),
    /// It answered something that is not the protocol.
    #[error("its answer is not that of a Redis or Valkey server")]
    Garbage,
    /// The further root certificates, or its user or password, are not to be had.
    #[error("{0}")]
    SetUp(String),
}
