//! An access token, its life, and how much of that life a caller asks for.

use std::time::Duration;

use thiserror::Error;
use time::OffsetDateTime;

use crate::types::secret::Secret;

/// The longest access token that is taken, in bytes: it has to fit into one HTTP header line.
const LONGEST: usize = 16 * 1024;

/// How far back the clock may go before what was obtained "later" is not believed.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// What is asked for where nobody asked for more.
const DEFAULT_MIN_TTL: Duration = Duration::from_secs(60);

/// A text that may not stand in an `Authorization` header.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub(crate) enum MalformedToken {
    /// Nothing at all.
    #[error("it is empty")]
    Empty,
    /// Over 16 KiB.
    #[error("it is longer than 16 KiB")]
    TooLong,
    /// A character outside `b64token`; a line break here would be a second header.
    #[error("it holds a character that no bearer token may hold (RFC 6750 section 2.1)")]
    Character,
}

/// The text of a bearer token: never empty, `b64token` characters only (RFC 6750 §2.1), so that
/// it can go into a header, a line or a JSON string as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessToken(Secret);

impl AccessToken {
    /// Checks what a server or a cache file gave.
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

/// How much life a caller wants a token to have left when it is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MinTtl {
    /// Nobody said: 60 s, or half the token's life where that is shorter, so that a server of
    /// short-lived tokens works without a setting.
    Default,
    /// Exactly this much, from a flag or the configuration.
    AtLeast(Duration),
}

impl MinTtl {
    /// The margin for a token that lives `life` in all.
    pub(crate) fn for_life(self, life: Duration) -> Duration {
        match self {
            Self::Default => DEFAULT_MIN_TTL.min(life / 2),
            Self::AtLeast(duration) => duration,
        }
    }
}

/// When a token that is still good is old enough to look for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefreshAhead {
    /// In the last fifth of its life.
    LastFifth,
    /// In the last half, for callers that keep what they get and never ask again.
    LastHalf,
    /// Not before it has ended, for those who only look at it.
    Never,
}

/// An access token and its life. Its type is always bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// The token.
    pub(crate) access_token: AccessToken,
    /// What it may be used for, space-separated, where the server said (RFC 6749 §3.3).
    pub(crate) scope: Option<String>,
    /// When its request was sent, UTC, by this machine's clock.
    pub(crate) requested_at: OffsetDateTime,
    /// When the response arrived, UTC, by this machine's clock.
    pub(crate) obtained_at: OffsetDateTime,
    /// When it ends, UTC, counted from the moment the request was sent.
    pub(crate) expires_at: OffsetDateTime,
}

impl Token {
    /// Its whole life.
    pub(crate) fn life(&self) -> Duration {
        (self.expires_at - self.obtained_at)
            .try_into()
            .unwrap_or(Duration::ZERO)
    }

    /// What is left of it.
    pub(crate) fn time_left(&self, now: OffsetDateTime) -> Duration {
        (self.expires_at - now).try_into().unwrap_or(Duration::ZERO)
    }

    /// The token as it counts at `now`. If the clock was set back since the token was obtained, all
    /// of its times move back by the difference, so that it does not live longer.
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

    /// The moment until which it is handed out: what every caller is told as its expiry.
    pub(crate) fn usable_until(&self, min_ttl: MinTtl) -> OffsetDateTime {
        let margin = min_ttl.for_life(self.life());
        let margin = time::Duration::try_from(margin).unwrap_or(time::Duration::MAX);
        self.expires_at.saturating_sub(margin)
    }

    /// Whether it may be handed out now.
    pub(crate) fn is_fresh(&self, now: OffsetDateTime, min_ttl: MinTtl) -> bool {
        now < self.usable_until(min_ttl)
    }

    /// Whether it is time for one process to look for the next one.
    pub(crate) fn is_aging(&self, now: OffsetDateTime, ahead: RefreshAhead) -> bool {
        now >= self.refresh_at(ahead)
    }

    /// The moment from which one process looks for the next token.
    pub(crate) fn refresh_at(&self, ahead: RefreshAhead) -> OffsetDateTime {
        let share = match ahead {
            RefreshAhead::LastFifth => 5,
            RefreshAhead::LastHalf => 2,
            RefreshAhead::Never => return self.expires_at,
        };
        self.expires_at - self.life() / share
    }

    /// Whether its whole life is too short for what is asked, so that asking again is in vain.
    pub(crate) fn never_lasts(&self, min_ttl: MinTtl) -> bool {
        self.life() <= min_ttl.for_life(self.life())
    }
}

/// Whether the clock has gone back behind `at`, by more than a minute, since that was recorded.
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
            "clocks of one fleet differ, and time servers set them back a little"
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
            "whatever stands in a cache file is at most a miss"
        );
    }
}
