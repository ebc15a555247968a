//! One entry of the cache: its fields, and the rules for replacing them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::digest::SecretDigest;
use crate::types::secret::Secret;
use crate::types::token::{Token, is_from_the_future};

/// The maximum number of tokens in an entry.
pub(super) const MOST_TOKENS: usize = 4;

/// The suffix of an entry's file name. It contains the version of the format.
pub(super) const FILE_NAME_END: &str = ".v1.json";

/// The maximum number of cool-downs in an entry.
pub(super) const MOST_COOLDOWNS: usize = 8;

/// The time for which a cool-down is kept after its end.
const REMEMBERED: time::Duration = time::Duration::minutes(10);

/// The cached data of one identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The tokens, newest first. At most one for each client secret.
    pub(crate) tokens: Vec<CachedToken>,
    /// The longest lifetime that a token of this identity had when it was obtained.
    pub(crate) longest_life: Option<Duration>,
    /// The form of request that worked last. It is kept when the token is removed.
    pub(crate) auth_method: Option<String>,
    /// The time at which `auth_method` was determined by trying `basic` first.
    pub(crate) auth_method_found_at: Option<OffsetDateTime>,
    /// The cool-downs: one for each reason and scope.
    pub(crate) cooldowns: Vec<Cooldown>,
    /// The earliest time for the next early refresh. Set after an early refresh failed.
    pub(crate) refresh_not_before: Option<OffsetDateTime>,
    /// The last time that a report of a token rejected by a server was accepted.
    pub(crate) refused_at: Option<OffsetDateTime>,
}

/// A token in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedToken {
    pub(crate) token: Token,
    /// The digest of the secret that the token was obtained with.
    pub(crate) secret: Option<SecretDigest>,
    /// Whether a server rejected the token.
    pub(crate) is_refused: bool,
}

/// A period in which no process sends a request to the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cooldown {
    /// The time at which it was recorded.
    pub(crate) since: OffsetDateTime,
    /// The time at which it ends.
    pub(crate) until: OffsetDateTime,
    /// The kind of failure that caused it.
    pub(crate) reason: Reason,
    /// The error message, as it was reported to the caller that met the failure. Contains no
    /// secret.
    pub(crate) message: String,
    /// The immediate cause, as it was reported to that caller.
    pub(crate) cause: Option<String>,
    /// The hint, as it was reported to that caller.
    pub(crate) hint: Option<String>,
    /// The callers that it applies to.
    pub(crate) scope: Scope,
}

/// The callers that a cool-down applies to: those that match every field that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Callers with this secret, because it was refused.
    pub(crate) secret: Option<SecretDigest>,
    /// Whether that secret came from a program. If so, other callers cannot compare it immediately.
    pub(crate) is_from_program: bool,
    /// Callers with this `auth_method`, because another method may be accepted.
    pub(crate) auth_method: Option<String>,
    /// Callers with at most this time limit, because it was too short.
    pub(crate) time_limit: Option<Duration>,
}

/// The kind of failure that caused a cool-down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// The server answered 429.
    RateLimited,
    /// The server refused the credentials.
    Refused,
    /// No connection, no response, or a response that is not a token.
    Unavailable,
    /// The program that provides the client secret failed.
    NoSecret,
}

impl Entry {
    /// Returns the token for a caller with this secret: it was obtained with that secret, if both
    /// are known. Ignores a token if the clock was set back after it was obtained.
    pub(crate) fn token_for(
        &self,
        secret: Option<&Secret>,
        now: OffsetDateTime,
    ) -> Option<&CachedToken> {
        self.tokens.iter().find(|cached| {
            is_of(cached.secret.as_ref(), secret)
                && !is_from_the_future(cached.token.obtained_at, now)
        })
    }

    /// Returns whether a caller needs its current secret to determine its own tokens and
    /// cool-downs.
    pub(crate) fn has_digests(&self) -> bool {
        let mut tokens = self.tokens.iter().map(|cached| &cached.secret);
        let mut cooldowns = self.cooldowns.iter().map(|cooldown| &cooldown.scope.secret);
        tokens.any(Option::is_some) || cooldowns.any(Option::is_some)
    }

    /// Adds a token of `secret`. It replaces the previous token of that secret.
    pub(crate) fn add_token(&mut self, new: CachedToken, secret: &Secret, now: OffsetDateTime) {
        self.tokens.retain(|cached| {
            let is_other = |digest: &SecretDigest| !digest.is_of(secret);
            cached.secret.as_ref().is_some_and(is_other) && now < cached.token.expires_at
        });
        self.tokens.insert(0, new);
        self.tokens.truncate(MOST_TOKENS);
    }

    /// Removes the cool-downs that apply to a caller with this secret, because it just got a token.
    pub(crate) fn end_cooldowns(&mut self, secret: &Secret, now: OffsetDateTime) {
        self.cooldowns.retain(|cooldown| {
            let digest = cooldown.scope.secret.as_ref();
            digest.is_some_and(|digest| !digest.is_of(secret)) && cooldown.is_remembered(now)
        });
    }

    /// Adds a cool-down. It replaces one with the same reason and scope, and the later end applies.
    /// No other cool-down is replaced, so a short or narrow one never hides a longer or wider one.
    pub(crate) fn add_cooldown(
        &mut self,
        new: Cooldown,
        secret: Option<&Secret>,
        now: OffsetDateTime,
    ) {
        let mut new = new;
        self.cooldowns.retain(|old| {
            let is_same = old.is_like(&new, secret);
            if is_same && !is_from_the_future(old.since, now) {
                new.until = new.until.max(old.until);
            }
            !is_same && old.is_remembered(now)
        });
        self.cooldowns.push(new);
        self.cooldowns
            .sort_by_key(|cooldown| std::cmp::Reverse(cooldown.until));
        self.cooldowns.truncate(MOST_COOLDOWNS);
    }

    /// The length of the last cool-down with the reason and scope of `new`, even if it is over.
    pub(crate) fn last_pause_like(
        &self,
        new: &Cooldown,
        secret: Option<&Secret>,
        now: OffsetDateTime,
    ) -> Option<Duration> {
        let is_last = |old: &&Cooldown| old.is_like(new, secret) && old.is_remembered(now);
        let last = self.cooldowns.iter().find(is_last)?;
        (last.until - last.since).try_into().ok()
    }

    /// The longest lifetime of a token of this identity, including `token`.
    pub(crate) fn longest_life(&self, token: &Token) -> Duration {
        self.longest_life.unwrap_or_default().max(token.life())
    }
}

impl Cooldown {
    /// Returns whether it is in force. It is not if the clock was set back after it was recorded.
    pub(crate) fn is_in_force(&self, now: OffsetDateTime) -> bool {
        now < self.until && !is_from_the_future(self.since, now)
    }

    /// Returns whether it applies to callers with this secret and `auth_method`. Returns `None` if
    /// the scope has a digest and the secret is not known.
    pub(crate) fn binds(&self, secret: Option<&Secret>, auth_method: &str) -> Option<bool> {
        let method = self.scope.auth_method.as_deref();
        if method.is_some_and(|method| method != auth_method) {
            return Some(false);
        }
        match (&self.scope.secret, secret) {
            (None, _) => Some(true),
            (Some(digest), Some(secret)) => Some(digest.is_of(secret)),
            (Some(_), None) => None,
        }
    }

    /// Returns whether it is kept. It is kept for some time after its end: a secret that is refused
    /// again gets a longer pause, and a waiting process may read the entry late.
    fn is_remembered(&self, now: OffsetDateTime) -> bool {
        now < self.until.saturating_add(REMEMBERED) && !is_from_the_future(self.since, now)
    }

    /// Returns whether it has the reason and scope of `new`. `secret` is the secret of `new`.
    fn is_like(&self, new: &Self, secret: Option<&Secret>) -> bool {
        let is_same_secret = match (&self.scope.secret, secret) {
            (Some(digest), Some(secret)) => new.scope.secret.is_some() && digest.is_of(secret),
            (digest, _) => digest.is_none() && new.scope.secret.is_none(),
        };
        is_same_secret
            && self.reason == new.reason
            && self.scope.auth_method == new.scope.auth_method
            && self.scope.time_limit == new.scope.time_limit
    }
}

/// Returns whether `digest` is the digest of `secret`, or one of the two is not known.
fn is_of(digest: Option<&SecretDigest>, secret: Option<&Secret>) -> bool {
    digest
        .zip(secret)
        .is_none_or(|(digest, secret)| digest.is_of(secret))
}
