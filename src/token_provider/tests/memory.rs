//! A store in memory, and hosts that share it and have one cache each.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::Fixture;
use crate::cache::{Cache, Identity, Key, Slot};
use crate::shared_store::{Keys, Sealer, Store, StoreError, StoreSnapshot};
use crate::system::clock::Clock;
use crate::token_provider::{Event, ObtainError, Shared, TokenProvider, TokenRequest};
use crate::types::secret::Secret;

/// A key-value store whose values expire.
#[derive(Default)]
pub(super) struct Memory {
    /// Each value and its expiry, in milliseconds of the store's clock.
    pub(super) values: Mutex<HashMap<String, (Vec<u8>, i64)>>,
    /// Whether the store answers no call.
    pub(super) is_down: AtomicBool,
    /// The number of calls.
    pub(super) calls: AtomicU64,
}

/// The connection of a host to the store.
pub(super) struct Connection<'a> {
    pub(super) memory: &'a Memory,
    /// The store's clock.
    pub(super) clock: &'a dyn Clock,
    /// The duration of a round trip.
    pub(super) latency: Duration,
}

impl Memory {
    /// Returns the first key that ends with `end`, and its value.
    pub(super) fn found(&self, end: &str) -> Option<(String, Vec<u8>)> {
        let values = self.values.lock().unwrap();
        let found = values.iter().find(|(key, _)| key.ends_with(end));
        found.map(|(key, (value, _))| (key.clone(), value.clone()))
    }

    /// Removes all values.
    pub(super) fn flush(&self) {
        self.values.lock().unwrap().clear();
    }
}

impl Connection<'_> {
    fn call<T>(
        &self,
        limit: Duration,
        act: impl FnOnce(&mut HashMap<String, (Vec<u8>, i64)>, i64) -> T,
    ) -> Result<T, StoreError> {
        self.memory.calls.fetch_add(1, Ordering::Relaxed);
        if self.memory.is_down.load(Ordering::Relaxed) {
            self.clock.sleep(limit);
            return Err(StoreError::TimedOut(limit));
        }
        self.clock.sleep(self.latency);
        let now = i64::try_from(self.clock.now().unix_timestamp_nanos() / 1_000_000).unwrap();
        let mut values = self.memory.values.lock().unwrap();
        values.retain(|_, (_, end)| *end > now);
        Ok(act(&mut values, now))
    }
}

fn seen(values: &HashMap<String, (Vec<u8>, i64)>, names: &Keys, now_ms: i64) -> StoreSnapshot {
    let value = |key: &str| values.get(key).map(|(value, _)| value.clone());
    StoreSnapshot {
        token: value(&names.token).unwrap_or_default(),
        cooldown: value(&names.cooldown).unwrap_or_default(),
        lease: value(&names.lease).unwrap_or_default(),
        now_ms,
    }
}

fn end(now: i64, life: Duration) -> i64 {
    now + i64::try_from(life.as_millis()).unwrap()
}

impl Store for Connection<'_> {
    fn look(&self, names: &Keys, limit: Duration) -> Result<StoreSnapshot, StoreError> {
        self.call(limit, |values, now| seen(values, names, now))
    }

    fn take(
        &self,
        names: &Keys,
        key: &str,
        holder: &str,
        life: Duration,
        limit: Duration,
    ) -> Result<(bool, StoreSnapshot), StoreError> {
        self.call(limit, |values, now| {
            let is_free = !values.contains_key(key);
            if is_free {
                let value = (holder.as_bytes().to_vec(), end(now, life));
                values.insert(key.to_owned(), value);
            }
            (is_free, seen(values, names, now))
        })
    }

    fn put(
        &self,
        key: &str,
        value: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), StoreError> {
        self.call(limit, |values, now| {
            values.insert(key.to_owned(), (value.to_vec(), end(now, life)));
        })
    }

    fn replace(
        &self,
        key: &str,
        old: &[u8],
        new: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), StoreError> {
        self.call(limit, |values, now| {
            if values.get(key).is_some_and(|(value, _)| value == old) {
                values.insert(key.to_owned(), (new.to_vec(), end(now, life)));
            }
        })
    }

    fn remove(&self, key: &str, value: &[u8], limit: Duration) -> Result<(), StoreError> {
        self.call(limit, |values, _| {
            if values.get(key).is_some_and(|(there, _)| there == value) {
                values.remove(key);
            }
        })
    }
}

/// Hosts that use one credential.
pub(super) struct Hosts {
    pub(super) scene: Fixture,
    pub(super) memory: Memory,
    folder: tempfile::TempDir,
    pub(super) warnings: Cell<u32>,
}

pub(super) fn key() -> Key {
    Key::of(&Identity {
        token_url: "https://a",
        client_id: "i",
        scope: None,
        audience: None,
    })
}

impl Hosts {
    pub(super) fn new() -> Self {
        Self {
            scene: Fixture::new(),
            memory: Memory::default(),
            folder: tempfile::tempdir().unwrap(),
            warnings: Cell::default(),
        }
    }

    pub(super) fn slot(&self, host: u32) -> Slot {
        Cache::in_folder(self.folder.path().join(host.to_string()), None).slot(key())
    }

    pub(super) fn on<T>(&self, host: u32, act: impl FnOnce(&TokenProvider<'_>) -> T) -> T {
        self.listen(host, &|_| {}, act)
    }

    /// Like [`Self::on`], but with a callback for events.
    pub(super) fn listen<T>(
        &self,
        host: u32,
        notify: &dyn Fn(Event<'_>),
        act: impl FnOnce(&TokenProvider<'_>) -> T,
    ) -> T {
        let connection = Connection {
            memory: &self.memory,
            clock: &self.scene.clock,
            latency: Duration::from_millis(1),
        };
        let identity = || key();
        act(&TokenProvider {
            clock: &self.scene.clock,
            slot: Some(self.slot(host)),
            endpoint: &self.scene.endpoint,
            shared: Some(&Shared::new(&connection, "p:", &identity)),
            notify: &|notice: Event<'_>| {
                if matches!(notice, Event::StoreUnusable(_)) {
                    self.warnings.set(self.warnings.get() + 1);
                }
                notify(notice);
            },
        })
    }

    pub(super) fn call(&self, host: u32, ask: &TokenRequest) -> Result<String, ObtainError> {
        let token = self.on(host, |broker| broker.obtain(ask))?;
        Ok(token.access_token.expose().to_owned())
    }

    pub(super) fn token(&self, host: u32) -> String {
        self.call(host, &self.scene.ask(30)).unwrap()
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.scene.clock.advance(Duration::from_secs(seconds));
    }

    /// Stores a value under the key that ends with `end`.
    pub(super) fn put(&self, end: &str, value: &[u8], seconds: u64) {
        let secret = Secret::new((*self.scene.endpoint.secret.borrow()).to_owned());
        let token = Sealer::new(&secret, key().as_str()).names("p:").token;
        let key = token.replace(":token", end);
        let now = self.scene.clock.now() + Duration::from_secs(seconds);
        let end = i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap();
        let mut values = self.memory.values.lock().unwrap();
        values.insert(key, (value.to_vec(), end));
    }
}
