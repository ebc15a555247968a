//! A store in memory, and a host's way to it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::fleet::{Names, Seen, Store, StoreError};

/// Values that end by themselves.
#[derive(Default)]
pub(super) struct Memory {
    /// Each value, and when it ends, in milliseconds of the store's clock.
    pub(super) values: Mutex<HashMap<String, (Vec<u8>, i64)>>,
    /// Whether no call is answered.
    pub(super) is_down: AtomicBool,
    /// How many calls were made.
    pub(super) calls: AtomicU64,
}

/// A host's connection.
pub(super) struct Connection<'a> {
    pub(super) memory: &'a Memory,
    /// The store's clock.
    pub(super) clock: &'a dyn Clock,
    /// How long a round trip takes.
    pub(super) latency: Duration,
}

impl Memory {
    /// The value under the name that ends so, and the name.
    pub(super) fn found(&self, end: &str) -> Option<(String, Vec<u8>)> {
        let values = self.values.lock().unwrap();
        let found = values.iter().find(|(key, _)| key.ends_with(end));
        found.map(|(key, (value, _))| (key.clone(), value.clone()))
    }

    /// Forgets everything.
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

fn seen(values: &HashMap<String, (Vec<u8>, i64)>, names: &Names, now_ms: i64) -> Seen {
    let value = |key: &str| values.get(key).map(|(value, _)| value.clone());
    Seen {
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
    fn look(&self, names: &Names, limit: Duration) -> Result<Seen, StoreError> {
        self.call(limit, |values, now| seen(values, names, now))
    }

    fn take(
        &self,
        names: &Names,
        key: &str,
        holder: &str,
        life: Duration,
        limit: Duration,
    ) -> Result<(bool, Seen), StoreError> {
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
