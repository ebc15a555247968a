//! Taking a token out of the cache: whatever is there, or only the one that was refused.

use std::io;

use super::wait::{LockError, wait};
use super::{Ask, Broker, ObtainError};
use crate::cache::{Entry, Slot};
use crate::file::{self, Attempt, Guard, Kind, Patience};

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
        let guard = match self.lock_to_erase(slot, ask) {
            Ok(guard) => guard,
            Err(LockError::TimedOut) => {
                return Err(ObtainError::LockTimedOut {
                    limit: ask.deadline.limit(),
                });
            }
            Err(LockError::Io(error)) => return Err(unwritable(slot, error)),
        };
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

    fn lock_to_erase(&self, slot: &Slot, ask: &Ask) -> Result<Guard, LockError> {
        match file::try_exclusive(slot.sidecar())? {
            Attempt::Held(guard) => return Ok(guard),
            Attempt::Unsupported(_) => return Ok(Guard::without_lock()),
            Attempt::Busy => {}
        }
        let limit = ask.deadline.remaining(self.clock);
        wait(
            slot,
            Kind::Exclusive,
            &Patience {
                quiet: limit,
                speak: &|| {},
                limit,
            },
        )
    }
}

fn unwritable(slot: &Slot, error: io::Error) -> ObtainError {
    ObtainError::CacheUnwritable {
        folder: slot.folder().to_owned(),
        error,
    }
}
