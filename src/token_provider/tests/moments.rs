//! Tests of each time at which the state of an entry changes: one millisecond before, exactly then
//! and one after. The expected states come from a second implementation of the rules.

use time::{Duration, OffsetDateTime};

use super::super::decide::CacheState;
use super::Fixture;
use crate::cache::{CachedToken, Cooldown, Entry, Reason, Scope};
use crate::system::clock::Clock as _;
use crate::types::token::{AccessToken, Token};

const MILLISECOND: Duration = Duration::MILLISECOND;
const MINUTE: Duration = Duration::MINUTE;

/// A token of this age and with this lifetime.
fn held(now: OffsetDateTime, age: Duration, life: Duration) -> CachedToken {
    CachedToken {
        token: Token {
            access_token: AccessToken::parse("t-0".to_owned()).unwrap(),
            scope: None,
            requested_at: now - age,
            obtained_at: now - age,
            expires_at: now - age + life,
        },
        secret: None,
        is_refused: false,
    }
}

fn cooldown(now: OffsetDateTime, age: Duration, length: Duration) -> Cooldown {
    Cooldown {
        since: now - age,
        until: now - age + length,
        reason: Reason::Unavailable,
        message: "down".to_owned(),
        cause: None,
        hint: None,
        scope: Scope::default(),
    }
}

fn judged(scene: &Fixture, entry: &Entry) -> &'static str {
    let ask = scene.ask(30);
    match scene.broker(|broker| broker.decide(entry, &ask)) {
        CacheState::Fresh(_) => "fresh",
        CacheState::NeedsRefresh(_) => "aging",
        CacheState::RejectedByServer(_) => "doubted",
        CacheState::InCooldown(_) => "cooling",
        CacheState::TooShort { .. } => "too short",
        CacheState::Miss => "nothing",
    }
}

/// Each of these ages, and the ages just before and after it.
fn around(ages: &[Duration]) -> Vec<Duration> {
    let near = |age: &Duration| [*age - MILLISECOND, *age, *age + MILLISECOND];
    ages.iter().flat_map(near).collect()
}

fn lives() -> Vec<Duration> {
    let mut lives = around(&[
        Duration::seconds(1),
        MINUTE,
        MINUTE * 2,
        Duration::HOUR,
        Duration::seconds(43_199),
    ]);
    lives.extend([MILLISECOND, Duration::days(3650)]);
    lives
}

fn ages(life: Duration, margin: Duration) -> Vec<Duration> {
    let mut ages = around(&[
        -MINUTE,
        Duration::ZERO,
        life - life / 5,
        life - margin,
        life,
    ]);
    // Jumps of the clock in both directions.
    ages.extend([Duration::days(-3650), Duration::days(-1)]);
    ages.extend([life + Duration::days(1), life + Duration::days(36_500)]);
    ages
}

#[test]
fn a_token_is_worth_what_the_rules_say_at_every_moment() {
    let scene = Fixture::new();
    let now = scene.clock.now();
    let mut seen = std::collections::BTreeSet::new();
    for life in lives() {
        let margin = MINUTE.min(life / 2);
        for age in ages(life, margin) {
            let entry = Entry {
                tokens: vec![held(now, age, life)],
                ..Entry::default()
            };
            let expected = if age < -MINUTE || age >= life - margin {
                "nothing"
            } else if age >= life - life / 5 {
                "aging"
            } else {
                "fresh"
            };
            assert_eq!(judged(&scene, &entry), expected, "{age} of {life}");
            seen.insert(expected);
        }
    }
    assert_eq!(seen.len(), 3, "each state must occur");
}

#[test]
fn a_cool_down_binds_from_a_minute_before_its_record_to_its_end() {
    let scene = Fixture::new();
    let now = scene.clock.now();
    for length in around(&[Duration::seconds(5), Duration::seconds(300)]) {
        for age in ages(length, Duration::ZERO) {
            let cooldown = cooldown(now, age, length);
            let binds = (-MINUTE..length).contains(&age);
            let with = |held: Option<CachedToken>| Entry {
                tokens: held.into_iter().collect(),
                cooldowns: vec![cooldown.clone()],
                ..Entry::default()
            };
            for (held, unbound, bound) in [
                (None, "nothing", "cooling"),
                // A cool-down does not affect a fresh token.
                (Some(held(now, MINUTE, Duration::HOUR)), "fresh", "fresh"),
                (
                    Some(held(now, MINUTE * 55, Duration::HOUR)),
                    "aging",
                    "fresh",
                ),
                (
                    Some(held(now, Duration::HOUR, Duration::HOUR)),
                    "nothing",
                    "cooling",
                ),
            ] {
                let expected = if binds { bound } else { unbound };
                let entry = with(held);
                assert_eq!(judged(&scene, &entry), expected, "{age} of {length}");
            }
        }
    }
}

#[test]
fn a_pause_of_the_refresh_is_kept_to_for_five_minutes_at_most() {
    let scene = Fixture::new();
    let now = scene.clock.now();
    let longest = MINUTE * 5;
    for left in around(&[Duration::ZERO, longest, Duration::days(3650), -MINUTE]) {
        let entry = Entry {
            tokens: vec![held(now, MINUTE * 55, Duration::HOUR)],
            refresh_not_before: Some(now + left),
            ..Entry::default()
        };
        let is_kept_to = left > Duration::ZERO && left <= longest;
        let expected = if is_kept_to { "fresh" } else { "aging" };
        assert_eq!(judged(&scene, &entry), expected, "{left}");
    }
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_of_before_the_call_new() {
    let scene = Fixture::new();
    scene.token();
    scene.clock.wall_offset_seconds.set(-30);
    assert_eq!(scene.token(), "t-1", "a plain call takes the cached one");
    assert_eq!(
        scene.call(30, true).unwrap(),
        "t-2",
        "the token was obtained before this call in any case"
    );
    scene.clock.wall_offset_seconds.set(-60);
    scene
        .endpoint
        .script
        .borrow_mut()
        .push_back(super::refused());
    assert!(scene.call(30, true).is_err());
    scene.clock.wall_offset_seconds.set(-90);
    assert_eq!(
        scene.call(30, true).unwrap(),
        "t-4",
        "the same for a cool-down"
    );
}

/// A failure of the lock holder binds each caller that began before it was recorded. That includes
/// a call in the same millisecond, because an entry stores whole milliseconds. It also holds if the
/// disk took longer to record the failure than the cool-down lasts.
#[test]
fn those_who_waited_for_a_secret_are_told_that_there_is_none_however_late_they_look() {
    let scene = Fixture::new();
    let ask = |began: OffsetDateTime| {
        let ask = scene.ask(30);
        crate::token_provider::TokenRequest { began, ..ask }
    };
    let part = Duration::microseconds(300);
    let noted = scene.clock.now();
    for later in [Duration::ZERO, Duration::seconds(5), Duration::seconds(20)] {
        let now = noted + later;
        scene.clock.wall_offset_seconds.set(later.whole_seconds());
        let mut entry = Entry {
            cooldowns: vec![cooldown(now, later, Duration::seconds(5))],
            ..Entry::default()
        };
        entry.cooldowns[0].reason = Reason::NoSecret;
        for (began, is_bound) in [
            (noted - Duration::SECOND, true),
            (noted, true),
            (noted + part, true),
            (noted + MILLISECOND, false),
        ] {
            let ask = ask(began);
            let state = scene.broker(|broker| broker.decide(&entry, &ask));
            let is_told = matches!(state, CacheState::InCooldown(_));
            assert_eq!(is_told, is_bound, "{began}, read at {now}");
        }
    }
}

#[test]
fn whatever_two_moments_stand_in_an_entry_nothing_overflows() {
    let scene = Fixture::new();
    scene.slot.prepare().unwrap();
    let last = OffsetDateTime::from_unix_timestamp(221_845_392_000).unwrap();
    let now = scene.clock.now();
    let moments = [OffsetDateTime::UNIX_EPOCH, now, last];
    for obtained_at in moments {
        for expires_at in moments {
            let mut held = held(now, Duration::ZERO, Duration::HOUR);
            held.token.obtained_at = obtained_at;
            held.token.expires_at = expires_at;
            let mut cooldown = cooldown(now, Duration::ZERO, Duration::HOUR);
            cooldown.since = obtained_at;
            cooldown.until = expires_at;
            let entry = Entry {
                tokens: vec![held],
                cooldowns: vec![cooldown],
                refresh_not_before: Some(expires_at),
                refused_at: Some(obtained_at),
                ..Entry::default()
            };
            let is_good = obtained_at <= now && expires_at > now;
            assert_eq!(judged(&scene, &entry) == "fresh", is_good);
            scene
                .slot
                .write(&entry, &super::Guard::without_lock())
                .unwrap();
            assert_eq!(scene.slot.read(), entry, "it must be read as written");
            scene.erase(super::EraseTarget::Refused(None));
        }
    }
}
