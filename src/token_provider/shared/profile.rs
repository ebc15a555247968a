//! The store of a profile: opened when it is first asked, with the user and password of that moment.

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

/// How long a program may take that gives the store's user or password.
const SOURCE_LIMIT: Duration = Duration::from_secs(5);

/// What a store was found to be.
#[derive(Debug)]
pub(crate) struct Examined {
    /// Whether a token of the identity is there.
    pub(crate) has_token: bool,
    /// Its clock, in milliseconds since 1970.
    pub(crate) now_ms: i64,
}

/// A store over the network.
pub(crate) struct ProfileStore<'a> {
    settings: &'a SharedStore,
    environment: &'a Environment,
    roots: &'a System<'a>,
    clock: &'a dyn Clock,
    deadline: Deadline,
    redis: OnceCell<Redis<'a>>,
}

impl<'a> ProfileStore<'a> {
    /// Nothing is read or opened before it is needed.
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

    /// What is shared through it of the identity that is asked for.
    pub(crate) fn shared<'b>(&'b self, identity: &'b dyn Fn() -> Key) -> Shared<'b> {
        Shared::new(self, &self.settings.prefix, identity)
    }

    /// Tries all that is asked of a store, and leaves nothing there.
    pub(crate) fn examine(&self, key: &Key, secret: &Secret) -> Result<Examined, StoreError> {
        let no_random = || StoreError::SetUp("the system gives no random bytes".to_owned());
        let sealer = Sealer::new(secret, key.as_str());
        let names = sealer.names(&self.settings.prefix);
        let holder = random_name().ok_or_else(no_random)?;
        // A name of its own beside the others, so that nobody waits for it.
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
        // Like a round trip, it leaves the larger part of the time to the token endpoint.
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
