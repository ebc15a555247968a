//! The token provider: returns a token for a profile with a given minimum lifetime.
//!
//! All processes share one cache, which keeps the number of token requests low.
//! [`TokenProvider::obtain`] works in this order:
//! 1. It reads the cache entry without a lock and returns a fresh token.
//! 2. If the token is fresh but in the last fifth of its life, the process that gets the lock
//!    without waiting refreshes it. All other processes return the cached token.
//! 3. If there is no fresh token, it takes the lock and reads the clock and the entry *again*. Only
//!    then does it send a token request.
//! 4. It never returns an expired token: [`TokenProvider::obtain`] checks the expiry with the clock
//!    at the moment of the return.

mod adopt;
mod cooldown;
mod decide;
mod endpoint;
mod erase;
mod explain;
mod fetch;
#[cfg(feature = "shared-store")]
mod shared;
#[cfg(not(feature = "shared-store"))]
#[path = "shared_off.rs"]
mod shared;
#[cfg(test)]
mod tests;
mod wait;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use time::OffsetDateTime;

use crate::cache::{Cooldown, Entry, Scope, Slot};
use crate::oauth::{ExchangeError, InvalidResponse, SetupError};
use crate::secret_source::SourceError;
use crate::system::clock::{Clock, Deadline};
use crate::system::file::{Attempt, Guard};
use crate::types::token::{MinTtl, RefreshAhead, Token};

use decide::{CacheState, too_short};
use erase::unwritable;
use fetch::Purpose;
use wait::{LockError, Locked};

pub(crate) use endpoint::{Endpoint, ProfileEndpoint};
pub(crate) use erase::EraseTarget;
pub(crate) use explain::{SEE_DOCTOR, cooldown_message, explain};
pub(crate) use shared::ProfileStore;
use shared::{Shared, StoreError};

/// The longest time that a refresh may take while the cached token is usable.
const REFRESH_AHEAD_LIMIT: Duration = Duration::from_secs(5);

/// The requirements of one caller for a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRequest {
    /// The minimum remaining lifetime of the token.
    pub(crate) min_ttl: MinTtl,
    /// Ignores cached tokens and failures from before this time (`--refresh`).
    pub(crate) not_before: Option<OffsetDateTime>,
    /// The age from which a usable token is refreshed.
    pub(crate) refresh_ahead: RefreshAhead,
    /// Whether to send at most one request: no retry, and no wait for a rate limit.
    pub(crate) is_single: bool,
    /// The start time of the call.
    pub(crate) began: OffsetDateTime,
    /// The deadline of the process.
    pub(crate) deadline: Deadline,
}

/// An event during a token request, for progress messages.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "shared-store"),
    expect(dead_code, reason = "only the shared store creates these")
)]
pub(crate) enum Event<'a> {
    /// The cached token is returned.
    Hit,
    /// The cache has no usable token.
    Miss,
    /// A token request is sent.
    Asking,
    /// Another process has held the lock for two seconds.
    Waiting {
        /// The cache entry that is locked.
        slot: &'a Slot,
        /// The longest wait.
        limit: Duration,
    },
    /// A token that another host obtained is returned.
    Shared,
    /// Another host sends a token request, or waits until it may send one. This host waits for it,
    /// at most for this duration.
    WaitingForHost(Duration),
    /// The shared store failed and is not used again in this process. The result is not affected.
    StoreUnusable(&'a StoreError),
    /// The server asked the client to wait, and the deadline allows it.
    Pausing(Duration),
    /// A temporary failure, as a short text, and the pause before the next try.
    Retrying(&'a str, Duration),
    /// The refresh failed; the cached token stays in use.
    RefreshFailed(&'a ObtainError),
    /// The cache cannot be locked. It is still used, but several processes may send requests at
    /// once.
    CacheUnlockable(&'a io::Error),
    /// The cache cannot be used. The result is not affected.
    CacheUnusable(&'a io::Error),
}

/// The reason why no token was obtained. The `explain` module writes the message for each.
#[derive(Debug)]
pub(crate) enum ObtainError {
    /// The exchange failed; whether a retry helps depends on the failure.
    Exchange(ExchangeError),
    /// The client secret cannot be read. The user must fix its source.
    Source(SourceError),
    /// The settings do not allow a request. The user must fix them.
    SetUp(SetupError),
    /// A recent failure of some process is in its cool-down: no request is sent before it ends.
    CoolingDown(Box<Cooldown>),
    /// The request of another process took longer than this caller could wait. A retry helps.
    LockTimedOut {
        /// The time that this caller could wait.
        limit: Duration,
    },
    /// The cached token could not be removed from the cache.
    CacheUnwritable {
        /// The cache directory.
        folder: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The tokens of this server never live as long as requested. A shorter lifetime must be
    /// requested.
    LifeTooShort {
        /// The lifetime of the server's tokens.
        life: Duration,
        /// The requested lifetime.
        wanted: Duration,
    },
}

impl ObtainError {
    /// Whether the server refused the credentials. It would then refuse a token obtained with them
    /// too.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Exchange(ExchangeError::Refused { .. }))
    }
}

/// Returns tokens from the cache, the shared store or the token endpoint.
pub(crate) struct TokenProvider<'a> {
    /// The clock for expiry, pauses and deadlines.
    pub(crate) clock: &'a dyn Clock,
    /// The cache entry; `None` with `--no-cache` or if there is no cache directory.
    pub(crate) slot: Option<Slot>,
    /// The source of the client secret, and the connection to the token endpoint.
    pub(crate) endpoint: &'a dyn Endpoint,
    /// The store that hosts share; `None` if the profile has none.
    pub(crate) shared: Option<&'a Shared<'a>>,
    /// Called for each event.
    pub(crate) notify: &'a dyn Fn(Event<'_>),
}

impl TokenProvider<'_> {
    /// Returns a token that is usable at the moment of the return.
    ///
    /// A wait, a request or a write may make an earlier decision invalid. So this is the
    /// only place that returns a token, and it reads the clock again. A token that has expired in
    /// the meantime is replaced once.
    pub(crate) fn obtain(&self, ask: &TokenRequest) -> Result<Token, ObtainError> {
        for _ in 0..2 {
            let token = self.find_or_fetch(ask)?;
            let now = self.clock.now();
            if token.is_fresh(now, ask.min_ttl) {
                return Ok(token);
            }
        }
        let expired = ExchangeError::InvalidResponse(InvalidResponse::ExpiredInTransit);
        Err(ObtainError::Exchange(expired))
    }

    fn find_or_fetch(&self, ask: &TokenRequest) -> Result<Token, ObtainError> {
        let Some(slot) = &self.slot else {
            return self.answer_or_fetch(CacheState::Miss, &Entry::default(), None, ask);
        };
        match self.decide(&slot.read(), ask) {
            CacheState::Fresh(token) => {
                (self.notify)(Event::Hit);
                return Ok(token);
            }
            CacheState::NeedsRefresh(token) => return self.refresh_ahead(slot, token, ask),
            CacheState::TooShort { life } => return Err(too_short(life, ask)),
            CacheState::RejectedByServer(_) | CacheState::InCooldown(_) | CacheState::Miss => {
                (self.notify)(Event::Miss);
            }
        }
        let guard = match self.lock(slot, ask) {
            Ok(Locked::Guard(guard)) => Some(guard),
            Ok(Locked::Answer(answer)) => return answer,
            Err(LockError::TimedOut) => return self.at_the_deadline(slot, ask),
            Err(LockError::Io(error)) => {
                // The entry may still be readable, and its cool-downs still apply.
                (self.notify)(Event::CacheUnusable(&error));
                None
            }
        };
        // Read the entry and the clock again: no other process can change the entry from now on.
        let entry = slot.read();
        let place = guard.as_ref().map(|guard| (slot, guard));
        self.answer_or_fetch(self.decide(&entry, ask), &entry, place, ask)
    }

    /// Returns the cached result, or sends a token request. Without a place nothing is written.
    fn answer_or_fetch(
        &self,
        state: CacheState,
        entry: &Entry,
        place: Option<(&Slot, &Guard)>,
        ask: &TokenRequest,
    ) -> Result<Token, ObtainError> {
        let rejected = match state {
            CacheState::RejectedByServer(token) => Some(token),
            state => match state.answer(ask) {
                Some(answer) => return answer,
                None => None,
            },
        };
        let fetched = self
            .fetch(place, entry, ask, Purpose::Answer)
            .and_then(|token| self.check_life(token, entry, place, ask));
        match (fetched, rejected) {
            (Err(error), Some(token))
                if !error.is_refusal() && token.is_fresh(self.clock.now(), ask.min_ttl) =>
            {
                (self.notify)(Event::RefreshFailed(&error));
                Ok(token)
            }
            (fetched, _) => fetched,
        }
    }

    /// Returns a new token only if it lives as long as the request demands.
    ///
    /// Some servers return the same token again, with its remaining lifetime. If an earlier token
    /// lived long enough, a later request helps, and the failure is recorded as an outage.
    fn check_life(
        &self,
        token: Token,
        entry: &Entry,
        place: Option<(&Slot, &Guard)>,
        ask: &TokenRequest,
    ) -> Result<Token, ObtainError> {
        if !token.never_lasts(ask.min_ttl) {
            return Ok(token);
        }
        let life = entry.longest_life(&token);
        if life <= ask.min_ttl.for_life(life) {
            return Err(too_short(life, ask));
        }
        let failure = ExchangeError::InvalidResponse(InvalidResponse::TooLittleLife(token.life()));
        let told = self.endpoint.tell(&failure);
        let cooldown = cooldown::of(&failure, told, self.clock.now(), Scope::default());
        self.note(place, &cooldown, None);
        Err(ObtainError::Exchange(failure))
    }

    /// Returns the result that the entry allows now, for a caller whose deadline has passed.
    fn at_the_deadline(&self, slot: &Slot, ask: &TokenRequest) -> Result<Token, ObtainError> {
        let limit = ask.deadline.limit();
        let answer = self.decide(&slot.read(), ask).last_answer(ask);
        answer.unwrap_or(Err(ObtainError::LockTimedOut { limit }))
    }

    /// Refreshes the token, unless another process is doing so.
    #[cold]
    fn refresh_ahead(
        &self,
        slot: &Slot,
        token: Token,
        ask: &TokenRequest,
    ) -> Result<Token, ObtainError> {
        let locked = slot.prepare().and_then(|()| slot.try_lock());
        let Ok(Attempt::Held(guard)) = locked else {
            (self.notify)(Event::Hit);
            return Ok(token);
        };
        // The entry was read without the lock: the token may have been replaced or erased since.
        let entry = slot.read();
        match self.decide(&entry, ask) {
            CacheState::NeedsRefresh(token) => Ok(self
                .next_token(slot, &guard, entry, &token, ask)
                .unwrap_or(token)),
            state => self.answer_or_fetch(state, &entry, Some((slot, &guard)), ask),
        }
    }

    /// Refreshes a usable token. Returns `None` if the caller must use the current one.
    ///
    /// The pause after a failed refresh is recorded first. So if the process is killed here, or
    /// cannot write the token, not every later caller sends a request.
    fn next_token(
        &self,
        slot: &Slot,
        guard: &Guard,
        entry: Entry,
        token: &Token,
        ask: &TokenRequest,
    ) -> Option<Token> {
        let now = self.clock.now();
        let pause = cooldown::pause_before_refresh(token.time_left(now));
        let entry = Entry {
            refresh_not_before: Some(now + pause),
            ..entry
        };
        if let Err(error) = slot.write_note(&entry, guard) {
            (self.notify)(Event::RefreshFailed(&unwritable(slot, error)));
            return None;
        }
        let usable_until = token.usable_until(ask.min_ttl);
        let usable_for: Duration = (usable_until - self.clock.now())
            .try_into()
            .unwrap_or_default();
        let limit = REFRESH_AHEAD_LIMIT.min(usable_for);
        let deadline = ask.deadline.at_most(self.clock, limit);
        let short = TokenRequest { deadline, ..*ask };
        match self.fetch(Some((slot, guard)), &entry, &short, Purpose::Ahead) {
            Ok(next) => Some(next).filter(|next| next.usable_until(ask.min_ttl) >= usable_until),
            Err(error) => {
                (self.notify)(Event::RefreshFailed(&error));
                None
            }
        }
    }
}
