//! Taking a token out of the cache: whatever is there, or only the one that was refused.

use std::io;

use super::{Ask, Broker, ObtainError};
use crate::cache::{Entry, Slot};
use crate::file::{self, WaitError};

impl Broker<'_> {
    /// Drops the cached token; with `only`, only where it is that token, so that a slow caller
    /// does not throw away the one that came after. A cool-down stays.
    ///
    /// # Errors
    /// [`ObtainError::LockTimedOut`], where another process holds the lock to the end, and
    /// [`ObtainError::CacheUnwritable`].
    pub(crate) fn erase(&self, only: Option<&str>, ask: &Ask) -> Result<(), ObtainError> {
        let Some(slot) = &self.slot else {
            return Ok(());
        };
        let is_meant = |entry: &Entry| {
            let held = entry.held.as_ref().map(|held| &held.token.access_token);
            match only {
                Some(token) => held.is_some_and(|held| held.expose() == token),
                None => held.is_some() || entry.auth_method.is_some(),
            }
        };
        if !is_meant(&slot.read()) {
            return Ok(());
        }
        let limit = ask.deadline.remaining(self.clock);
        let guard = file::exclusive(slot.sidecar(), limit).map_err(|error| match error {
            WaitError::TimedOut => ObtainError::LockTimedOut {
                limit: ask.deadline.limit(),
            },
            WaitError::Io(error) => unwritable(slot, error),
        })?;
        let entry = slot.read();
        if is_meant(&entry) {
            // Whoever drops whatever is there starts anew; one refused token says nothing of the
            // form of request.
            let auth_method = entry.auth_method.filter(|_| only.is_some());
            let entry = Entry {
                cooldown: entry.cooldown,
                auth_method,
                ..Entry::default()
            };
            // On a full disk nothing can be written, but a file can still be removed.
            let dropped = slot.write(&entry, &guard).or_else(|_| slot.remove(&guard));
            dropped.map_err(|error| unwritable(slot, error))?;
        }
        Ok(())
    }
}

pub(super) fn unwritable(slot: &Slot, error: io::Error) -> ObtainError {
    ObtainError::CacheUnwritable {
        folder: slot.folder().to_owned(),
        error,
    }
}
