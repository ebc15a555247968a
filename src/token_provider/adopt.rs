//! Credentials that are tried before they are saved, the token they brought, and an identity that is
//! given up.

use super::fetch::Purpose;
use super::{Event, ObtainError, TokenProvider, TokenRequest, unwritable};
use crate::cache::Entry;
use crate::oauth::TokenGrant;
use crate::system::file::WaitError;
use crate::types::secret::Secret;

impl TokenProvider<'_> {
    /// Asks the endpoint, and leaves nothing for anybody, whatever it answers.
    pub(crate) fn try_out(&self, ask: &TokenRequest) -> Result<TokenGrant, ObtainError> {
        self.fetch_granted(None, &Entry::default(), ask, Purpose::Answer)
    }

    /// Leaves a token that [`TokenProvider::try_out`] brought with `secret` for everybody. Where that
    /// cannot be, the next caller asks for one.
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
            // Whoever holds it so long is asking for a token itself.
            Err(WaitError::TimedOut) => {}
        }
    }

    /// Removes the entry, its cool-down too: whoever uses this identity again starts anew.
    ///
    /// # Errors
    /// As with [`TokenProvider::erase`].
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
