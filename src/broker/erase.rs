//! Taking a token out of the cache: whatever is there, or only the one that was refused.

use std::io;

use super::wait::{LockError, wait};
use super::{Ask, Broker, ObtainError};
use crate::cache::{Entry, Slot};
use crate::file::{Kind, Patience};

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
            entry.held.as_ref().is_some_and(|held| {
                only.is_none_or(|token| held.token.access_token.expose() == token)
            })
        };
        if !is_meant(&slot.read()) {
            return Ok(());
        }
        let limit = ask.deadline.remaining(self.clock);
        let patience = Patience {
            quiet: limit,
            speak: &|| {},
            limit,
        };
        let guard = match wait(slot, Kind::Exclusive, &patience) {
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
}

fn unwritable(slot: &Slot, error: io::Error) -> ObtainError {
    ObtainError::CacheUnwritable {
        folder: slot.folder().to_owned(),
        error,
    }
}
