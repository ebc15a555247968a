//! What a cache entry allows at one moment, for one request. [`decide`] is pure: no I/O, no clock.

use std::time::Duration;

use time::OffsetDateTime;

use super::cooldown::LONGEST_REFRESH_PAUSE;
use super::{ObtainError, TokenProvider, TokenRequest};
use crate::cache::{Cooldown, Entry, Reason};
use crate::types::secret::Secret;
use crate::types::token::{RefreshAhead, Token};

/// The state of a cache entry at one moment, for one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CacheState {
    /// The token can be handed out.
    Fresh(Token),
    /// The token can be handed out, and is old enough to be refreshed by one process.
    NeedsRefresh(Token),
    /// A server refused this token. It is handed out only if no other token can be obtained.
    RejectedByServer(Token),
    /// There is no usable token, and a request is not allowed yet.
    InCooldown(Box<Cooldown>),
    /// No token of this server lives as long as the request demands.
    TooShort {
        /// The longest life of a token of this server.
        life: Duration,
    },
    /// A token request is needed.
    Miss,
}

impl CacheState {
    /// The result for a caller that can still wait for a better one; `None` if a token request is
    /// needed.
    pub(super) fn answer(self, ask: &TokenRequest) -> Option<Result<Token, ObtainError>> {
        match self {
            Self::Fresh(token) | Self::NeedsRefresh(token) => Some(Ok(token)),
            Self::InCooldown(cooldown) => Some(Err(ObtainError::CoolingDown(cooldown))),
            Self::TooShort { life } => Some(Err(too_short(life, ask))),
            Self::RejectedByServer(_) | Self::Miss => None,
        }
    }

    /// The result for a caller that has no time left for a token request.
    pub(super) fn last_answer(self, ask: &TokenRequest) -> Option<Result<Token, ObtainError>> {
        match self {
            Self::RejectedByServer(token) => Some(Ok(token)),
            state => state.answer(ask),
        }
    }
}

/// The properties of a caller that determine which parts of an entry apply to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller<'a> {
    /// The current client secret, if it is known.
    pub(super) secret: Option<&'a Secret>,
    /// The name of the `auth_method` of its profile.
    pub(super) auth_method: &'a str,
}

/// Decides what `entry` allows at `now` for `ask`.
pub(super) fn decide(
    entry: &Entry,
    now: OffsetDateTime,
    ask: &TokenRequest,
    caller: Caller<'_>,
) -> CacheState {
    let cooldown = binding_cooldown(entry, now, ask, caller);
    let in_cooldown = |cooldown: &Cooldown| CacheState::InCooldown(Box::new(cooldown.clone()));
    let cached = entry
        .token_for(caller.secret, now)
        .filter(|cached| is_new(cached.token.requested_at, now, ask));
    let (token, is_refused) = match cached {
        Some(cached) => (cached.token.as_of(now), cached.is_refused),
        None => return cooldown.map_or(CacheState::Miss, in_cooldown),
    };
    if token.is_fresh(now, ask.min_ttl) {
        return match cooldown {
            None if is_refused => CacheState::RejectedByServer(token),
            None if needs_refresh(entry, &token, now, ask) => CacheState::NeedsRefresh(token),
            // A server that refuses the credentials would refuse this token too.
            Some(cooldown) if is_refused && cooldown.reason == Reason::Refused => {
                in_cooldown(cooldown)
            }
            _ => CacheState::Fresh(token),
        };
    }
    let life = entry.longest_life(&token);
    if now < token.expires_at && life <= ask.min_ttl.for_life(life) {
        return CacheState::TooShort { life };
    }
    cooldown.map_or(CacheState::Miss, in_cooldown)
}

/// The cool-down of the entry that binds this request; of several, the one that ends last.
fn binding_cooldown<'a>(
    entry: &'a Entry,
    now: OffsetDateTime,
    ask: &TokenRequest,
    caller: Caller<'_>,
) -> Option<&'a Cooldown> {
    let binding = entry.cooldowns.iter().filter(|cooldown| {
        let has_waited = is_since(cooldown.since, ask.began, now);
        let is_in_force = match cooldown.reason {
            // A program that returned no secret binds the callers that waited for it, even if the
            // disk took long to record it. It does not bind a later caller: the vault may be
            // unlocked by then.
            Reason::NoSecret => has_waited,
            _ => cooldown.is_in_force(now),
        };
        // The secret is compared after the program has returned it. Until then the refusal binds
        // only callers that waited while another process called a program.
        let binds = cooldown.binds(caller.secret, caller.auth_method);
        let binds = binds.unwrap_or(cooldown.scope.is_from_program && has_waited);
        let limit = cooldown.scope.time_limit;
        let has_more_time = limit.is_some_and(|limit| ask.deadline.limit() > limit);
        is_in_force && binds && !has_more_time && is_new(cooldown.since, now, ask)
    });
    binding.max_by_key(|cooldown| cooldown.until)
}

/// Whether `--refresh` accepts a token or failure from that time.
fn is_new(at: OffsetDateTime, now: OffsetDateTime, ask: &TokenRequest) -> bool {
    ask.not_before.is_none_or(|start| is_since(at, start, now))
}

/// Whether `at` is between `start` and `now`. A time after `now` was recorded before the clock was
/// set back, and so before this call. An entry stores whole milliseconds, so `start` is rounded
/// down to a millisecond.
fn is_since(at: OffsetDateTime, start: OffsetDateTime, now: OffsetDateTime) -> bool {
    (start.truncate_to_millisecond()..=now).contains(&at)
}

/// Whether one process should refresh this fresh token.
fn needs_refresh(entry: &Entry, token: &Token, now: OffsetDateTime, ask: &TokenRequest) -> bool {
    // A time beyond the longest pause was recorded with a clock that was fast.
    let is_over = |at| now >= at || at > now + LONGEST_REFRESH_PAUSE;
    token.is_aging(now, ask.refresh_ahead) && entry.refresh_not_before.is_none_or(is_over)
}

impl TokenProvider<'_> {
    /// Decides with the current time and the current secret. The secret is used only if reading it
    /// is cheap and the entry has a digest to compare it with.
    pub(super) fn decide(&self, entry: &Entry, ask: &TokenRequest) -> CacheState {
        let has_digests = entry.has_digests();
        let secret = has_digests.then(|| self.endpoint.cheap_secret()).flatten();
        self.decide_for(entry, ask, secret.as_ref())
    }

    /// Decides with the current time for a caller with this secret.
    pub(super) fn decide_for(
        &self,
        entry: &Entry,
        ask: &TokenRequest,
        secret: Option<&Secret>,
    ) -> CacheState {
        let refresh_ahead = if self.endpoint.is_secret_costly() {
            // The program may prompt the user, and no caller needs the result yet.
            RefreshAhead::Never
        } else {
            ask.refresh_ahead
        };
        let ask = TokenRequest {
            refresh_ahead,
            ..*ask
        };
        let caller = Caller {
            secret,
            auth_method: self.endpoint.auth_method(),
        };
        decide(entry, self.clock.now(), &ask, caller)
    }
}

/// The error if no token of the server lives as long as the request demands.
pub(super) fn too_short(life: Duration, ask: &TokenRequest) -> ObtainError {
    ObtainError::LifeTooShort {
        life,
        wanted: ask.min_ttl.for_life(life),
    }
}
