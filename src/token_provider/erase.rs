//! Removes a token from the cache: any token, or only a specific one.

use std::io;
use std::time::Duration;

use time::OffsetDateTime;

use super::{ObtainError, TokenProvider, TokenRequest};
use crate::cache::{CachedToken, Entry, Slot};
use crate::system::file::WaitError;
use crate::types::token::is_from_the_future;

/// The time after an accepted refusal in which no other refusal is accepted.
///
/// Without it, each of these cases would cost one token request per refusal: a server that refuses
/// every token (missing permission, another audience), a git that reports a good token as refused
/// (2.39 if the server offers Bearer only), and many tools that were refused the same token.
pub(super) const REFUSAL_PAUSE: Duration = Duration::from_secs(60);

/// The token to erase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EraseTarget<'a> {
    /// Any cached token.
    Any,
    /// Only this token.
    Only(&'a str),
    /// The token that a server refused: this one, or the cached one if it is not known. At most one
    /// refusal per `REFUSAL_PAUSE` is accepted. From then on a new token is requested. The refused
    /// token stays until then because another server may accept it.
    Refused(Option<&'a str>),
}

impl TokenProvider<'_> {
    /// Removes the cached token only if it is the target, so that a slow caller does not remove a
    /// newer token. A cool-down stays.
    ///
    /// # Errors
    /// [`ObtainError::LockTimedOut`] if another process holds the lock until the deadline, and
    /// [`ObtainError::CacheUnwritable`].
    pub(crate) fn erase(
        &self,
        which: EraseTarget<'_>,
        ask: &TokenRequest,
    ) -> Result<(), ObtainError> {
        self.erase_shared(which, ask);
        let Some(slot) = &self.slot else {
            return Ok(());
        };
        let is_meant = |entry: &Entry| match which {
            EraseTarget::Any => !entry.tokens.is_empty() || entry.auth_method.is_some(),
            EraseTarget::Only(_) => self.target(entry, which).is_some(),
            EraseTarget::Refused(_) => {
                let is_believed = !was_refused_lately(entry, self.clock.now());
                is_believed && self.target(entry, which).is_some()
            }
        };
        if !is_meant(&slot.read()) {
            return Ok(());
        }
        let guard = self.exclusive(slot, ask).map_err(|error| match error {
            WaitError::TimedOut => ObtainError::LockTimedOut {
                limit: ask.deadline.limit(),
            },
            WaitError::Io(error) => unwritable(slot, error),
        })?;
        let mut entry = slot.read();
        if is_meant(&entry) {
            let target = self.target(&entry, which);
            match (which, target) {
                // Erasing any token resets the entry, except for its cool-downs.
                (EraseTarget::Any, _) => {
                    entry = Entry {
                        cooldowns: entry.cooldowns,
                        ..Entry::default()
                    };
                }
                // One bad token says nothing about the form of the request.
                (EraseTarget::Only(_), Some(index)) => {
                    entry.tokens.remove(index);
                    entry.refresh_not_before = None;
                }
                (EraseTarget::Refused(_), Some(index)) => {
                    if let Some(cached) = entry.tokens.get_mut(index) {
                        cached.is_refused = true;
                    }
                    entry.refused_at = Some(self.clock.now());
                }
                (_, None) => {}
            }
            // On a full disk nothing can be written, but a file can still be removed.
            let dropped = slot.write(&entry, &guard).or_else(|_| slot.remove(&guard));
            dropped.map_err(|error| unwritable(slot, error))?;
        }
        Ok(())
    }

    /// The index of the target: the given token, or the one that this caller would get.
    fn target(&self, entry: &Entry, which: EraseTarget<'_>) -> Option<usize> {
        let (EraseTarget::Only(token) | EraseTarget::Refused(Some(token))) = which else {
            let secret = entry.has_digests().then(|| self.endpoint.cheap_secret());
            let mine = entry.token_for(secret.flatten().as_ref(), self.clock.now())?;
            return entry.tokens.iter().position(|cached| cached == mine);
        };
        let is_it = |cached: &CachedToken| cached.token.access_token.expose() == token;
        entry.tokens.iter().position(is_it)
    }
}

fn was_refused_lately(entry: &Entry, now: OffsetDateTime) -> bool {
    entry
        .refused_at
        .is_some_and(|at| now < at + REFUSAL_PAUSE && !is_from_the_future(at, now))
}

pub(super) fn unwritable(slot: &Slot, error: io::Error) -> ObtainError {
    ObtainError::CacheUnwritable {
        folder: slot.folder().to_owned(),
        error,
    }
}
