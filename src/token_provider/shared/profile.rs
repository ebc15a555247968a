//! The store of a profile. The connection is opened at the first use, with the user and password at
//! that time.

use std::cell::OnceCell;
use std::time::Duration;

use super::{LIMIT, Shared, random_name};
use crate::cache::Key;
use crate::config::SharedStore;
use crate::secret_source::Source;
use crate::shared_store::{
    Account, Connector, Keys, Kind, Redis, Sealer, Store, StoreError, StoreSnapshot,
};
use crate::system::clock::{Clock, Deadline};
use crate::system::environment::Environment;
use crate::system::tls_roots::System;
use crate::types::secret::Secret;

/// The time limit for a program that returns the store's user or password.
const SOURCE_LIMIT: Duration = Duration::from_secs(5);

/// The result of a check of the store.
#[derive(Debug)]
pub(crate) struct Examined {
    /// Whether the store has a token of this identity.
    pub(crate) has_token: bool,
    /// The store's clock, in milliseconds since 1970.
    pub(crate) now_ms: i64,
}

/// A shared store that is reached over the network.
pub(crate) struct ProfileStore<'a> {
    settings: &'a SharedStore,
    environment: &'a Environment,
    roots: &'a System<'a>,
    clock: &'a dyn Clock,
    deadline: Deadline,
    redis: OnceCell<Redis<'a>>,
}

impl<'a> ProfileStore<'a> {
    /// Creates the store without reading a secret or opening a connection.
    pub(crate) fn new(
        settings: &'a SharedStore,
        environment: &'a Environment,
        roots: &'a System<'a>,
        clock: &'a dyn Clock,
        deadline: Deadline,
    ) -> Self {
        Self {
            settings,
            environment,
            roots,
            clock,
            deadline,
            redis: OnceCell::new(),
        }
    }

    /// Returns the shared state of one identity in this store.
    pub(crate) fn shared<'b>(&'b self, identity: &'b dyn Fn() -> Key) -> Shared<'b> {
        Shared::new(self, &self.settings.prefix, identity)
    }

    /// Tests all operations that the program needs, and leaves no data in the store.
    pub(crate) fn examine(&self, key: &Key, secret: &Secret) -> Result<Examined, StoreError> {
        let no_random = || StoreError::SetUp("the system gives no random bytes".to_owned());
        let sealer = Sealer::new(secret, key.as_str());
        let names = sealer.names(&self.settings.prefix);
        let holder = random_name().ok_or_else(no_random)?;
        // A separate key, so that no other host waits for this lease.
        let probe = format!("{}-probe-{holder}", names.lease);
        let limit = || LIMIT.min(self.deadline.remaining(self.clock));
        let (_, seen) = self.take(&names, &probe, &holder, LIMIT, limit())?;
        self.replace(&probe, holder.as_bytes(), b"1", LIMIT, limit())?;
        self.remove(&probe, b"1", limit())?;
        Ok(Examined {
            has_token: sealer.open(Kind::Token, &seen.token).is_some(),
            now_ms: seen.now_ms,
        })
    }

    fn redis(&self) -> Result<&Redis<'a>, StoreError> {
        if let Some(redis) = self.redis.get() {
            return Ok(redis);
        }
        // As with a round trip, most of the time is kept for the token endpoint.
        let limit = SOURCE_LIMIT.min(self.deadline.remaining(self.clock) / 3);
        let deadline = self.deadline.at_most(self.clock, limit);
        let read = |source: &Option<Source>, what: &str| {
            let source = source.as_ref();
            let read = source.map(|source| source.read(self.environment, self.clock, deadline));
            read.transpose()
                .map_err(|error| StoreError::SetUp(format!("its {what}: {error}")))
        };
        let account = Account {
            user: read(&self.settings.user, "user")?,
            password: read(&self.settings.password, "password")?,
        };
        let (address, ca_file) = (&self.settings.address, &self.settings.ca_file);
        let link = Connector::new(address.clone(), account, self.roots, ca_file.clone());
        Ok(self.redis.get_or_init(|| Redis::new(link, self.clock)))
    }
}

impl Store for ProfileStore<'_> {
    fn look(&self, names: &Keys, limit: Duration) -> Result<StoreSnapshot, StoreError> {
        self.redis()?.look(names, limit)
    }

    fn take(
        &self,
        names: &Keys,
        key: &str,
        holder: &str,
        life: Duration,
        limit: Duration,
    ) -> Result<(bool, StoreSnapshot), StoreError> {
        self.redis()?.take(names, key, holder, life, limit)
    }

    fn put(
        &self,
        key: &str,
        value: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), StoreError> {
        self.redis()?.put(key, value, life, limit)
    }

    fn replace(
        &self,
        key: &str,
        old: &[u8],
        new: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), StoreError> {
        self.redis()?.replace(key, old, new, life, limit)
    }

    fn remove(&self, key: &str, value: &[u8], limit: Duration) -> Result<(), StoreError> {
        self.redis()?.remove(key, value, limit)
    }
}
