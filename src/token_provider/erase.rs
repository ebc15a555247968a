//! Taking a token out of the cache: whatever is there, or only the one that is meant.

use std::io;
use std::time::Duration;

use time::OffsetDateTime;

use super::{ObtainError, TokenProvider, TokenRequest};
use crate::cache::{CachedToken, Entry, Slot};
use crate::system::file::WaitError;
use crate::types::token::is_from_the_future;

/// After a server's refusal of a token was believed, no other refusal is for so long. A server that refuses whatever it is given (no permission, another
/// audience), a git that calls a good token refused (2.39 where a server offers Bearer only), and
/// many tools that were all refused the same token, would else cost a token request each.
pub(super) const REFUSAL_PAUSE: Duration = Duration::from_secs(60);

/// Which token is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EraseTarget<'a> {
    /// Whatever is there.
    Any,
    /// This one.
    Only(&'a str),
    /// The one that a server refused: this one, or, where it is not known, the one at hand; at
    /// most once in `REFUSAL_PAUSE`. Another one is asked for from then on; it stays until there
    /// is one, for it may be good elsewhere.
    Refused(Option<&'a str>),
}

impl TokenProvider<'_> {
    /// Drops the cached token, only where it is the one that is meant, so that a slow caller does
    /// not throw away the one that came after. A cool-down stays.
    ///
    /// # Errors
    /// [`ObtainError::LockTimedOut`], where another process holds the lock to the end, and
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
        let is_meant = |entry: &Entry| {
            let held = entry.held.as_ref();
            let held = held.map(|held| held.token.access_token.expose());
            match which {
                EraseTarget::Any => held.is_some() || entry.auth_method.is_some(),
                EraseTarget::Only(token) => held == Some(token),
                EraseTarget::Refused(token) => {
                    let is_it = held.is_some() && token.is_none_or(|token| held == Some(token));
                    is_it && !was_refused_lately(entry, self.clock.now())
                }
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
        let entry = slot.read();
        if is_meant(&entry) {
            let entry = match which {
                // Whoever drops whatever is there starts anew.
                EraseTarget::Any => Entry {
                    cooldown: entry.cooldown,
                    ..Entry::default()
                },
                // One bad token says nothing of the form of request.
                EraseTarget::Only(_) => Entry {
                    held: None,
                    refresh_not_before: None,
                    ..entry
                },
                EraseTarget::Refused(_) => Entry {
                    held: entry.held.map(|held| CachedToken {
                        is_refused: true,
                        ..held
                    }),
                    refused_at: Some(self.clock.now()),
                    ..entry
                },
            };
            // On a full disk nothing can be written, but a file can still be removed.
            let dropped = slot.write(&entry, &guard).or_else(|_| slot.remove(&guard));
            dropped.map_err(|error| unwritable(slot, error))?;
        }
        Ok(())
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
