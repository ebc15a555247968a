//! One entry of the cache: what it holds, and what replaces what.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::digest::SecretDigest;
use crate::types::secret::Secret;
use crate::types::token::{Token, is_from_the_future};

/// The most tokens that an entry keeps.
pub(super) const MOST_TOKENS: usize = 4;

/// The end of an entry's file name; it holds the version of the format.
pub(super) const FILE_NAME_END: &str = ".v1.json";

/// The most cool-downs that an entry keeps.
pub(super) const MOST_COOLDOWNS: usize = 8;

/// How long a cool-down is kept after its end.
const REMEMBERED: time::Duration = time::Duration::minutes(10);

/// What is known of one identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// At most one token of each client secret, the newest first.
    pub(crate) tokens: Vec<CachedToken>,
    /// The longest life that a token of this identity had when it was obtained.
    pub(crate) longest_life: Option<Duration>,
    /// The form of request that worked last; kept when the token goes.
    pub(crate) auth_method: Option<String>,
    /// When `auth_method` was determined by trying `basic` first.
    pub(crate) auth_method_found_at: Option<OffsetDateTime>,
    /// When not to ask again, and why; one for each kind of failure and each caller that it binds.
    pub(crate) cooldowns: Vec<Cooldown>,
    /// After a refresh ahead of expiry failed: not to be tried before.
    pub(crate) refresh_not_before: Option<OffsetDateTime>,
    /// When a server's refusal of a token was last believed.
    pub(crate) refused_at: Option<OffsetDateTime>,
}

/// A token in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedToken {
    /// The token.
    pub(crate) token: Token,
    /// The secret it was obtained with.
    pub(crate) secret: Option<SecretDigest>,
    /// Whether a server called it no good.
    pub(crate) is_refused: bool,
}

/// A time in which nobody asks the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cooldown {
    /// When it was recorded.
    pub(crate) since: OffsetDateTime,
    /// When it ends.
    pub(crate) until: OffsetDateTime,
    /// What kind of failure it follows.
    pub(crate) reason: Reason,
    /// The failure in words, as it was told to the one who met it; nothing secret.
    pub(crate) message: String,
    /// The nearest cause, likewise.
    pub(crate) cause: Option<String>,
    /// What to do, likewise.
    pub(crate) hint: Option<String>,
    /// The callers that it binds.
    pub(crate) scope: Scope,
}

/// The callers that a cool-down binds: those that match every field that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Callers with this secret, which was refused.
    pub(crate) secret: Option<SecretDigest>,
    /// Whether that secret came from a program, so that other callers cannot compare it at once.
    pub(crate) is_from_program: bool,
    /// Callers with this `auth_method`, because another one may not be refused.
    pub(crate) auth_method: Option<String>,
    /// Callers with at most so much time, because that was not enough.
    pub(crate) time_limit: Option<Duration>,
}

/// What a cool-down follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// 429.
    RateLimited,
    /// The credentials were refused.
    Refused,
    /// No connection, no answer, or one that is no token.
    Unavailable,
    /// The program that knows the client secret did not give it.
    NoSecret,
}

impl Entry {
    /// The token for a caller with this secret: it was obtained with it (if both are known), and not
    /// with a clock that was set back since.
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

    /// Whether a caller needs its current secret to tell which tokens and cool-downs are its own.
    pub(crate) fn has_digests(&self) -> bool {
        let mut tokens = self.tokens.iter().map(|cached| &cached.secret);
        let mut cooldowns = self.cooldowns.iter().map(|cooldown| &cooldown.scope.secret);
        tokens.any(Option::is_some) || cooldowns.any(Option::is_some)
    }

    /// Adds a token of `secret` in place of the one that it has.
    pub(crate) fn add_token(&mut self, new: CachedToken, secret: &Secret, now: OffsetDateTime) {
        self.tokens.retain(|cached| {
            let is_other = |digest: &SecretDigest| !digest.is_of(secret);
            cached.secret.as_ref().is_some_and(is_other) && now < cached.token.expires_at
        });
        self.tokens.insert(0, new);
        self.tokens.truncate(MOST_TOKENS);
    }

    /// Removes the cool-downs that bind a caller with this secret: it just got a token.
    pub(crate) fn end_cooldowns(&mut self, secret: &Secret, now: OffsetDateTime) {
        self.cooldowns.retain(|cooldown| {
            let digest = cooldown.scope.secret.as_ref();
            digest.is_some_and(|digest| !digest.is_of(secret)) && cooldown.is_remembered(now)
        });
    }

    /// Adds a cool-down. Of two with the same reason and scope the later end counts; no other is
    /// replaced, so that a short or narrow one never hides a longer or wider one.
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

    /// The length of the last refusal like `new`, also if its pause is over by now.
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

    /// The longest life of a token of this identity, `token` included.
    pub(crate) fn longest_life(&self, token: &Token) -> Duration {
        self.longest_life.unwrap_or_default().max(token.life())
    }
}

impl Cooldown {
    /// Whether it is in force. It is not if the clock was set back since it was recorded.
    pub(crate) fn is_in_force(&self, now: OffsetDateTime) -> bool {
        now < self.until && !is_from_the_future(self.since, now)
    }

    /// Whether it binds callers with this secret and `auth_method`; `None` if the scope has a digest
    /// and the secret is not known.
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

    /// Whether it is kept. One that is over is kept for a while: a secret that is refused again gets
    /// a longer pause, and a waiter may look late.
    fn is_remembered(&self, now: OffsetDateTime) -> bool {
        now < self.until.saturating_add(REMEMBERED) && !is_from_the_future(self.since, now)
    }

    /// Whether it has the reason and scope of `new`, which is of `secret`.
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

/// Whether a digest is of this secret, as far as both are known.
fn is_of(digest: Option<&SecretDigest>, secret: Option<&Secret>) -> bool {
    digest
        .zip(secret)
        .is_none_or(|(digest, secret)| digest.is_of(secret))
}
