//! The life of a request: from "this profile, this much life" to a token, through the cache that
//! all processes share, with as few questions to the token endpoint as there can be.
//!
//! The order is the whole point and is told in [`TokenProvider::obtain`]:
//! 1. read the entry without a lock; a fresh token is the answer;
//! 2. fresh, but in the last fifth of its life: whoever gets the lock at once looks for the next
//!    token, everybody else answers with this one;
//! 3. else lock, read clock and entry *again*, and only then ask the endpoint;
//! 4. an expired token is never handed out: [`TokenProvider::obtain`] checks it with the clock of the moment
//!    at which it returns the token.

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

/// The most time that a refresh may take while the cached token is usable.
const REFRESH_AHEAD_LIMIT: Duration = Duration::from_secs(5);

/// What a caller asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenRequest {
    /// How much life the token must have left.
    pub(crate) min_ttl: MinTtl,
    /// What is cached counts only if it came after this moment (`--refresh`).
    pub(crate) not_before: Option<OffsetDateTime>,
    /// From when on the next token is looked for while this one is good.
    pub(crate) refresh_ahead: RefreshAhead,
    /// Whether one request has to do: nothing is tried again, and no limit is waited out.
    pub(crate) is_single: bool,
    /// When the call began.
    pub(crate) began: OffsetDateTime,
    /// When the run ends.
    pub(crate) deadline: Deadline,
}

/// What happens on the way, for those who want to hear it.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "shared-store"),
    expect(dead_code, reason = "nobody tells of a store that there cannot be")
)]
pub(crate) enum Event<'a> {
    /// The token at hand is the answer.
    Hit,
    /// Nothing at hand can be the answer.
    Miss,
    /// A request goes out.
    Asking,
    /// Another process has the lock, and has had it for two seconds.
    Waiting {
        /// The lock.
        slot: &'a Slot,
        /// When the wait ends.
        limit: Duration,
    },
    /// Another host was quicker: its token is the answer.
    Shared,
    /// Another host asks, or waits until it may, and this one waits for it at most so long.
    WaitingForHost(Duration),
    /// The shared store is of no use to this run; the answer is not the worse for it.
    StoreUnusable(&'a StoreError),
    /// The server asked to wait, and there is time.
    Pausing(Duration),
    /// A passing failure, in a few words; the next try follows after this.
    Retrying(&'a str, Duration),
    /// The next token could not be had; this one goes on.
    RefreshFailed(&'a ObtainError),
    /// The cache cannot be locked: it is used all the same, but several may ask at once.
    CacheUnlockable(&'a io::Error),
    /// The cache cannot be used; the answer is not the worse for it.
    CacheUnusable(&'a io::Error),
}

/// Why there is no token. What to say of each is `explain`'s business.
#[derive(Debug)]
pub(crate) enum ObtainError {
    /// The exchange failed; whether a retry helps depends on the failure.
    Exchange(ExchangeError),
    /// The client secret is not to be had. Mend it.
    Source(SourceError),
    /// The settings allow no request. Mend them.
    SetUp(SetupError),
    /// A failure that a process met a moment ago; nobody asks again before it has passed.
    CoolingDown(Box<Cooldown>),
    /// Another process's request took longer than this caller could wait. A retry helps.
    LockTimedOut {
        /// How long this caller could wait.
        limit: Duration,
    },
    /// The cached token could not be taken out of the cache.
    CacheUnwritable {
        /// The cache's folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The server never gives as much life as is asked for. Ask for less.
    LifeTooShort {
        /// What it gives.
        life: Duration,
        /// What was asked for.
        wanted: Duration,
    },
}

impl ObtainError {
    /// Whether the server refused the credentials, so that a token of theirs is not good either.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Exchange(ExchangeError::Refused { .. }))
    }
}

/// Stands between callers and the token endpoint.
pub(crate) struct TokenProvider<'a> {
    /// The clock.
    pub(crate) clock: &'a dyn Clock,
    /// The place in the cache; `None` with `--no-cache` or without any folder.
    pub(crate) slot: Option<Slot>,
    /// Who gives the secret and answers a request.
    pub(crate) endpoint: &'a dyn Endpoint,
    /// What hosts share; `None` where nothing is.
    pub(crate) shared: Option<&'a Shared<'a>>,
    /// Hears what happens.
    pub(crate) notify: &'a dyn Fn(Event<'_>),
}

impl TokenProvider<'_> {
    /// Returns a token that is usable at the moment of the return.
    ///
    /// What was decided before a wait, a request or a write may not hold afterwards. So this is the
    /// only place that returns a token, and it looks at the clock again. A token that has expired
    /// meanwhile is replaced once.
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
                // It can be read at best, and what it forbids is still forbidden.
                (self.notify)(Event::CacheUnusable(&error));
                None
            }
        };
        // The entry and the time as they are now that nobody else can change the entry.
        let entry = slot.read();
        let place = guard.as_ref().map(|guard| (slot, guard));
        self.answer_or_fetch(self.decide(&entry, ask), &entry, place, ask)
    }

    /// Returns the answer of the cache, or asks the token endpoint. Without a place nothing is
    /// written.
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
    /// Some servers hand out a token that they keep, with what is left of its life. If an earlier
    /// token lived long enough, a later request helps, and the failure is recorded as an outage.
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

    /// Answers a caller whose time is over with what the entry holds by now.
    fn at_the_deadline(&self, slot: &Slot, ask: &TokenRequest) -> Result<Token, ObtainError> {
        let limit = ask.deadline.limit();
        let answer = self.decide(&slot.read(), ask).last_answer(ask);
        answer.unwrap_or(Err(ObtainError::LockTimedOut { limit }))
    }

    /// Refreshes the token if no other process does.
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
        // What was read without the lock may have been replaced or erased since.
        let entry = slot.read();
        match self.decide(&entry, ask) {
            CacheState::NeedsRefresh(token) => Ok(self
                .next_token(slot, &guard, entry, &token, ask)
                .unwrap_or(token)),
            state => self.answer_or_fetch(state, &entry, Some((slot, &guard)), ask),
        }
    }

    /// Asks for the next token while this one is usable; `None` if this one is to be used.
    ///
    /// The pause that follows a failure is recorded first. So a process that is killed here, or
    /// cannot write the token, does not cost a request of every later caller.
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
