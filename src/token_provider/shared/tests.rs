//! Tests of the rules for shared tokens, and of random pauses and names.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::payload::{Published, of_token, read_token};
use super::{counts, jitter, random_name};
use crate::cache::CachedToken;
use crate::oauth::TokenGrant;
use crate::types::token::{AccessToken, Token};

/// The store's clock at [`NOW`].
const STORE_MS: i64 = 5_000_000;

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

/// A token that was obtained `age_ms` milliseconds ago.
fn token(text: &str, age_ms: u64) -> Token {
    let obtained_at = NOW - Duration::from_millis(age_ms);
    Token {
        access_token: AccessToken::parse(text.to_owned()).unwrap(),
        scope: None,
        requested_at: obtained_at,
        obtained_at,
        expires_at: obtained_at + Duration::from_secs(3600),
    }
}

fn published(token: Token, is_renewed: bool) -> Published {
    Published {
        token,
        form: None,
        is_renewed,
    }
}

fn held(token: Token, is_refused: bool) -> CachedToken {
    CachedToken {
        token,
        secret: None,
        is_refused,
    }
}

#[test]
fn another_token_counts_where_it_is_newer_than_the_one_at_hand() {
    let mine = held(token("t-1", 5000), false);
    for (age, is_newer) in [(4999, true), (5000, false), (5001, false)] {
        let theirs = published(token("t-2", age), false);
        assert_eq!(counts(&theirs, Some(&mine), NOW), is_newer, "{age} ms");
        assert!(counts(&theirs, None, NOW), "without a token, any is good");
    }
}

#[test]
fn the_token_at_hand_counts_for_a_minute_where_it_came_for_a_refused_one_and_is_refused_too() {
    for (is_refused, is_renewed, age, is_good) in [
        (true, true, 59_999, true),
        (true, true, 60_000, false),
        (true, false, 0, false),
        (false, true, 0, false),
    ] {
        let theirs = published(token("t-1", age), is_renewed);
        let mine = held(token("t-1", age), is_refused);
        let found = counts(&theirs, Some(&mine), NOW);
        assert_eq!(found, is_good, "{is_refused} {is_renewed} {age} ms");
    }
}

#[test]
fn a_pause_is_half_to_one_and_a_half_of_what_it_is_about() {
    let about = Duration::from_secs(2);
    let pauses: Vec<Duration> = (0..100).map(|_| jitter(about)).collect();
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(3));
    assert!(
        pauses.iter().all(|it| (least..=most).contains(it)),
        "{pauses:?}"
    );
    for is_longer in [true, false] {
        assert!(
            pauses.iter().any(|it| (*it > about) == is_longer),
            "pauses must be spread: {pauses:?}"
        );
    }
}

#[test]
fn no_two_holders_have_one_name() {
    let names: HashSet<String> = (0..100).map(|_| random_name().unwrap()).collect();
    assert_eq!(names.len(), 100);
    assert!(names.iter().all(|name| name.len() == 32), "{names:?}");
}

/// The remaining life in milliseconds, by the ages of a token by the two clocks.
fn left(life_ms: u64, by_host_ms: i64, by_store_ms: i64) -> Option<i128> {
    let plain = json!({
        "access_token": "t-1",
        "host_ms": -by_host_ms,
        "store_ms": STORE_MS - by_store_ms,
        "life_ms": life_ms,
        "request_ms": 0,
    });
    let found = read_token(plain.to_string().as_bytes(), STORE_MS, NOW)?;
    let left = found.token.expires_at - NOW;
    assert_eq!(found.token.life(), Duration::from_millis(life_ms));
    Some(left.whole_milliseconds())
}

#[test]
fn a_token_is_over_when_its_life_is_by_the_stores_clock() {
    assert_eq!(left(1000, 0, 999), Some(1));
    assert_eq!(left(1000, 0, 1000), None);
    assert_eq!(left(1000, 0, 1001), None);
}

#[test]
fn by_the_hosts_own_clock_it_is_over_15_minutes_later() {
    let apart = 15 * 60 * 1000;
    assert_eq!(
        left(1000, apart, 0),
        Some(1000),
        "the clocks may differ this much"
    );
    assert_eq!(left(1000, apart + 999, 0), Some(1));
    assert_eq!(left(1000, apart + 1000, 0), None);
}

#[test]
fn no_life_is_believed_that_is_longer_than_a_year() {
    let year = 366 * 24 * 3600 * 1000;
    assert_eq!(left(year, 0, 0), Some(i128::from(year)));
    assert_eq!(left(year + 1, 0, 0), None);
}

#[test]
fn a_token_that_is_published_late_is_as_old_by_the_stores_clock_as_by_the_hosts() {
    let granted = TokenGrant {
        token: token("t-1", 2500),
        form: None,
    };
    let plain = of_token(&granted, false, STORE_MS, NOW);
    let wire: Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(wire["host_ms"], -2500);
    assert_eq!(wire["store_ms"], STORE_MS - 2500);
}
