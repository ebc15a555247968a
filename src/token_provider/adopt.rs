//! Tests credentials before they are saved, stores the token obtained with them, and removes the
//! entry of an identity that is no longer used.

use super::fetch::Purpose;
use super::{Event, ObtainError, TokenProvider, TokenRequest, unwritable};
use crate::cache::Entry;
use crate::oauth::TokenGrant;
use crate::system::file::WaitError;
use crate::types::secret::Secret;

impl TokenProvider<'_> {
    /// Sends a token request and records nothing, regardless of the result.
    pub(crate) fn try_out(&self, ask: &TokenRequest) -> Result<TokenGrant, ObtainError> {
        self.fetch_granted(None, &Entry::default(), ask, Purpose::Answer)
    }

    /// Stores a token that [`TokenProvider::try_out`] obtained with `secret` for all processes. If
    /// that fails, the next caller requests a token.
    pub(crate) fn adopt(&self, granted: &TokenGrant, secret: &Secret, ask: &TokenRequest) {
        let Some(slot) = &self.slot else { return };
        let locked = slot
            .prepare()
            .map_err(WaitError::Io)
            .and_then(|()| self.exclusive(slot, ask));
        match locked {
            Ok(guard) => {
                // A token that the login obtained replaces the cached one in any case.
                let ask = TokenRequest {
                    not_before: Some(ask.began),
                    ..*ask
                };
                self.keep(Some((slot, &guard)), &slot.read(), granted, secret, &ask);
            }
            Err(WaitError::Io(error)) => (self.notify)(Event::CacheUnusable(&error)),
            // A process that holds the lock for so long is requesting a token itself.
            Err(WaitError::TimedOut) => {}
        }
    }

    /// Removes the entry and its cool-downs. The next use of this identity starts without an entry.
    ///
    /// # Errors
    /// As for [`TokenProvider::erase`].
    pub(crate) fn forget(&self, ask: &TokenRequest) -> Result<(), ObtainError> {
        let Some(slot) = self.slot.as_ref().filter(|slot| slot.is_there()) else {
            return Ok(());
        };
        let removed = self.exclusive(slot, ask).and_then(|guard| {
            slot.remove(&guard)?;
            Ok(())
        });
        removed.map_err(|error| match error {
            WaitError::TimedOut => ObtainError::LockTimedOut {
                limit: ask.deadline.limit(),
            },
            WaitError::Io(error) => unwritable(slot, error),
        })
    }
}
