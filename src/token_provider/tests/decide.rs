//! The decision table: the state of an entry for a cached token, a cool-down and a request.

use time::{Duration, OffsetDateTime};

use super::super::decide::{CacheState, Caller, decide};
use super::Fixture;
use crate::cache::{CachedToken, Cooldown, Entry, Reason, Scope};
use crate::token_provider::TokenRequest;
use crate::types::token::{AccessToken, MinTtl, Token};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::days(20_000));

/// A caller with an unknown secret.
const ANYONE: Caller<'_> = Caller {
    secret: None,
    auth_method: "auto",
};

/// A token with a life of one hour that was obtained this long ago.
#[expect(clippy::unnecessary_wraps, reason = "a cell of the decision table")]
fn token_of_age(minutes: i64, is_refused: bool) -> Option<CachedToken> {
    let obtained_at = NOW - Duration::minutes(minutes);
    Some(CachedToken {
        token: Token {
            access_token: AccessToken::parse("t-0".to_owned()).unwrap(),
            scope: None,
            requested_at: obtained_at - Duration::SECOND,
            obtained_at,
            expires_at: obtained_at + Duration::HOUR,
        },
        secret: None,
        is_refused,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "a cell of the decision table")]
fn cooldown(reason: Reason) -> Option<Cooldown> {
    Some(Cooldown {
        since: NOW - Duration::SECOND,
        until: NOW + Duration::MINUTE,
        reason,
        message: String::new(),
        cause: None,
        hint: None,
        scope: Scope::default(),
    })
}

fn name(state: &CacheState) -> &'static str {
    match state {
        CacheState::Fresh(_) => "fresh",
        CacheState::NeedsRefresh(_) => "needs refresh",
        CacheState::RejectedByServer(_) => "rejected",
        CacheState::InCooldown(_) => "in cool-down",
        CacheState::TooShort { .. } => "too short",
        CacheState::Miss => "miss",
    }
}

fn request() -> TokenRequest {
    TokenRequest {
        began: NOW - Duration::SECOND * 2,
        ..Fixture::new().ask(30)
    }
}

#[test]
fn token_and_cooldown_determine_the_state() {
    let good = || token_of_age(10, false);
    let aging = || token_of_age(50, false);
    let rejected = || token_of_age(10, true);
    let expired = || token_of_age(60, false);
    let limited = || cooldown(Reason::RateLimited);
    let refused = || cooldown(Reason::Refused);
    let outage = || cooldown(Reason::Unavailable);
    let locked = || cooldown(Reason::NoSecret);
    for (held, cooldown, expected) in [
        (None, None, "miss"),
        (None, limited(), "in cool-down"),
        (good(), None, "fresh"),
        (good(), refused(), "fresh"),
        (good(), locked(), "fresh"),
        (aging(), None, "needs refresh"),
        (aging(), outage(), "fresh"),
        (rejected(), None, "rejected"),
        (rejected(), limited(), "fresh"),
        (rejected(), outage(), "fresh"),
        (rejected(), locked(), "fresh"),
        (rejected(), refused(), "in cool-down"),
        (expired(), None, "miss"),
        (expired(), limited(), "in cool-down"),
        (token_of_age(60, true), None, "miss"),
    ] {
        let entry = Entry {
            tokens: held.into_iter().collect(),
            cooldowns: cooldown.into_iter().collect(),
            ..Entry::default()
        };
        let state = decide(&entry, NOW, &request(), ANYONE);
        assert_eq!(name(&state), expected, "{entry:?}");
    }
}

#[test]
fn life_is_too_short_only_if_no_token_lived_longer() {
    let request = TokenRequest {
        min_ttl: MinTtl::AtLeast(std::time::Duration::from_secs(2 * 3600)),
        ..request()
    };
    for (longest_life, expected) in [(None, "too short"), (Some(43_199), "miss")] {
        let entry = Entry {
            tokens: token_of_age(10, false).into_iter().collect(),
            longest_life: longest_life.map(std::time::Duration::from_secs),
            ..Entry::default()
        };
        let state = decide(&entry, NOW, &request, ANYONE);
        assert_eq!(name(&state), expected, "{longest_life:?}");
    }
}

#[test]
fn refresh_compares_the_time_of_the_request() {
    let entry = Entry {
        tokens: token_of_age(0, false).into_iter().collect(),
        ..Entry::default()
    };
    for (began_ms_ago, expected) in [(500, "miss"), (1000, "fresh"), (1500, "fresh")] {
        let request = TokenRequest {
            not_before: Some(NOW - Duration::milliseconds(began_ms_ago)),
            ..request()
        };
        let state = decide(&entry, NOW, &request, ANYONE);
        assert_eq!(name(&state), expected, "{began_ms_ago} ms ago");
    }
}
