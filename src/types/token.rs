//! An access token, its lifetime, and the remaining lifetime that a caller requires.

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

use crate::types::secret::Secret;

/// The longest access token that is accepted, in bytes. A token must fit into one HTTP header line.
const LONGEST: usize = 16 * 1024;

/// How far in the future a recorded time may be. A later time is ignored, because the clock was set
/// back.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// The default of the remaining lifetime.
const DEFAULT_MIN_TTL: Duration = Duration::from_secs(60);

/// A text that is not valid in an `Authorization` header.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub(crate) enum MalformedToken {
    /// The text is empty.
    #[error("it is empty")]
    Empty,
    /// The text is longer than 16 KiB.
    #[error("it is longer than 16 KiB")]
    TooLong,
    /// A character is not in `b64token`. A line break would add a second header.
    #[error("it holds a character that no bearer token may hold (RFC 6750 section 2.1)")]
    Character,
}

/// The text of a bearer token. It is not empty and has only `b64token` characters (RFC 6750 §2.1),
/// so it needs no escaping in a header, a line or a JSON string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessToken(Secret);

impl AccessToken {
    /// Validates the text from a server or a cache file.
    pub(crate) fn parse(text: String) -> Result<Self, MalformedToken> {
        let secret = Secret::new(text);
        let text = secret.expose();
        if text.is_empty() {
            return Err(MalformedToken::Empty);
        }
        if text.len() > LONGEST {
            return Err(MalformedToken::TooLong);
        }
        let body = text.trim_end_matches('=');
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        if body.is_empty() || !body.bytes().all(allowed) {
            return Err(MalformedToken::Character);
        }
        Ok(Self(secret))
    }

    /// The text itself.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// The remaining lifetime that a caller requires of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MinTtl {
    /// The caller and the configuration set no value: 60 s, or half of the token's lifetime if that
    /// is shorter. Thus a server with short-lived tokens needs no setting.
    Default,
    /// Exactly this duration, from a flag or the configuration.
    AtLeast(Duration),
}

impl MinTtl {
    /// The margin for a token with the total lifetime `life`.
    pub(crate) fn for_life(self, life: Duration) -> Duration {
        match self {
            Self::Default => DEFAULT_MIN_TTL.min(life / 2),
            Self::AtLeast(duration) => duration,
        }
    }
}

/// The age at which a usable token is refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshAhead {
    /// In the last fifth of its lifetime.
    LastFifth,
    /// In the last half of its lifetime, for callers that keep the token and do not ask again.
    LastHalf,
    /// Not before it expires, for callers that only display it.
    Never,
}

/// An access token and its lifetime. The token type is always bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) access_token: AccessToken,
    /// The scope, space-separated, if the server sent one (RFC 6749 §3.3).
    pub(crate) scope: Option<String>,
    /// When the request was sent, in UTC by the local clock.
    pub(crate) requested_at: OffsetDateTime,
    /// When the response arrived, in UTC by the local clock.
    pub(crate) obtained_at: OffsetDateTime,
    /// When the token expires, in UTC. The lifetime is counted from the time the request was sent.
    pub(crate) expires_at: OffsetDateTime,
}

impl Token {
    /// The total lifetime.
    pub(crate) fn life(&self) -> Duration {
        (self.expires_at - self.obtained_at)
            .try_into()
            .unwrap_or(Duration::ZERO)
    }

    /// The remaining lifetime.
    pub(crate) fn time_left(&self, now: OffsetDateTime) -> Duration {
        (self.expires_at - now).try_into().unwrap_or(Duration::ZERO)
    }

    /// The token as seen at `now`. If the clock was set back after the token was obtained, all its
    /// times move back by the difference. Thus the token does not live longer.
    pub(crate) fn as_of(&self, now: OffsetDateTime) -> Self {
        let ahead = (self.obtained_at - now).max(time::Duration::ZERO);
        Self {
            access_token: self.access_token.clone(),
            scope: self.scope.clone(),
            requested_at: self.requested_at.saturating_sub(ahead),
            obtained_at: self.obtained_at.saturating_sub(ahead),
            expires_at: self.expires_at.saturating_sub(ahead),
        }
    }

    /// The time until which the token is returned to callers. Every caller gets it as the expiry.
    pub(crate) fn usable_until(&self, min_ttl: MinTtl) -> OffsetDateTime {
        let margin = min_ttl.for_life(self.life());
        let margin = time::Duration::try_from(margin).unwrap_or(time::Duration::MAX);
        self.expires_at.saturating_sub(margin)
    }

    /// Whether the token may be returned now.
    pub(crate) fn is_fresh(&self, now: OffsetDateTime, min_ttl: MinTtl) -> bool {
        now < self.usable_until(min_ttl)
    }

    /// Whether one process should refresh the token now.
    pub(crate) fn is_aging(&self, now: OffsetDateTime, ahead: RefreshAhead) -> bool {
        now >= self.refresh_at(ahead)
    }

    /// The time from which one process refreshes the token.
    pub(crate) fn refresh_at(&self, ahead: RefreshAhead) -> OffsetDateTime {
        let share = match ahead {
            RefreshAhead::LastFifth => 5,
            RefreshAhead::LastHalf => 2,
            RefreshAhead::Never => return self.expires_at,
        };
        self.expires_at - self.life() / share
    }

    /// Whether the total lifetime is shorter than required. Then a new request does not help.
    pub(crate) fn never_lasts(&self, min_ttl: MinTtl) -> bool {
        self.life() <= min_ttl.for_life(self.life())
    }
}

/// Whether `at` is more than a minute in the future, because the clock was set back after it was
/// recorded.
pub(crate) fn is_from_the_future(at: OffsetDateTime, now: OffsetDateTime) -> bool {
    at > now + CLOCK_TOLERANCE
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::{AccessToken, MalformedToken, MinTtl, RefreshAhead, Token, is_from_the_future};

    fn token(life_seconds: u64) -> Token {
        Token {
            access_token: AccessToken::parse("t-1".to_owned()).unwrap(),
            scope: None,
            requested_at: OffsetDateTime::UNIX_EPOCH,
            obtained_at: OffsetDateTime::UNIX_EPOCH,
            expires_at: OffsetDateTime::UNIX_EPOCH + Duration::from_secs(life_seconds),
        }
    }

    #[test]
    fn only_bearer_characters_get_into_a_header() {
        assert!(AccessToken::parse("aZ0-._~+/==".to_owned()).is_ok());
        assert_eq!(
            AccessToken::parse(String::new()),
            Err(MalformedToken::Empty)
        );
        for text in ["a\nb", "a\r", "a b", "a=b", "é", "a\"", "=", "a\0"] {
            let parsed = AccessToken::parse(text.to_owned());
            assert_eq!(parsed, Err(MalformedToken::Character), "{text:?}");
        }
        let long = AccessToken::parse("a".repeat(16 * 1024 + 1));
        assert_eq!(long, Err(MalformedToken::TooLong));
    }

    #[test]
    fn the_default_margin_never_eats_a_short_token() {
        let at = |seconds| OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let (long, short) = (token(3600), token(10));
        assert!(
            long.is_fresh(at(3539), MinTtl::Default) && !long.is_fresh(at(3540), MinTtl::Default)
        );
        assert!(short.is_fresh(at(4), MinTtl::Default) && !short.is_fresh(at(5), MinTtl::Default));
        assert!(short.never_lasts(MinTtl::AtLeast(Duration::from_secs(10))));
        assert!(!short.never_lasts(MinTtl::Default));
    }

    #[test]
    fn a_token_ages_in_its_last_fifth_or_for_those_who_keep_it_in_its_last_half() {
        let at = |seconds| OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let ages = |seconds, ahead| token(100).is_aging(at(seconds), ahead);
        assert!(!ages(79, RefreshAhead::LastFifth) && ages(80, RefreshAhead::LastFifth));
        assert!(!ages(49, RefreshAhead::LastHalf) && ages(50, RefreshAhead::LastHalf));
    }

    #[test]
    fn the_largest_token_that_is_taken_is_16_kib() {
        assert!(AccessToken::parse("a".repeat(16 * 1024)).is_ok());
    }

    #[test]
    fn what_is_left_is_counted_to_the_end_and_never_below_nothing() {
        let at = |seconds| OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(token(100).time_left(at(40)), Duration::from_secs(60));
        assert_eq!(token(100).time_left(at(101)), Duration::ZERO);
    }

    #[test]
    fn a_minute_back_is_believed_and_no_more() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1000);
        assert!(
            !is_from_the_future(now + Duration::from_secs(60), now),
            "clocks of different machines differ, and time servers adjust them"
        );
        assert!(is_from_the_future(now + Duration::from_millis(60_001), now));
    }

    #[test]
    fn token_does_not_live_longer_after_the_clock_was_set_back() {
        let at = |seconds| OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let token = Token {
            requested_at: at(995),
            obtained_at: at(1000),
            expires_at: at(1100),
            ..token(100)
        };
        assert_eq!(token.as_of(at(1000)), token, "the clock was not set back");
        let seen = token.as_of(at(960));
        assert_eq!(
            (seen.requested_at, seen.obtained_at, seen.expires_at),
            (at(955), at(960), at(1060))
        );
    }

    #[test]
    fn an_end_before_all_time_is_no_crash() {
        let token = Token {
            expires_at: OffsetDateTime::new_utc(time::Date::MIN, time::Time::MIDNIGHT),
            ..token(100)
        };
        let min_ttl = MinTtl::AtLeast(Duration::from_secs(60));
        assert!(
            !token.is_fresh(OffsetDateTime::UNIX_EPOCH, min_ttl),
            "a bad time in a cache file is a cache miss"
        );
    }
}
