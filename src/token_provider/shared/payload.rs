//! The payload of the shared store's entries, and its conversion to this host's clock. No I/O.
//!
//! Each time is stored twice: by the clock of the publishing host and by the store's clock, which
//! all hosts can read. So the clocks of hosts may differ; see docs/fleet.md.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::{Zeroize as _, Zeroizing};

use crate::cache::{Cooldown, Reason, Scope};
use crate::oauth::TokenGrant;
use crate::types::quote::clean;
use crate::types::token::{AccessToken, Token};

/// The largest difference between the clocks of two hosts at which a token does not count as older
/// than it is.
const CLOCKS_APART: Duration = Duration::from_secs(15 * 60);

/// The longest token lifetime that is accepted.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// The longest cool-down that is accepted.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(300);

/// The longest duration of a token request that is accepted: one day.
const LONGEST_REQUEST_MS: u64 = 24 * 3600 * 1000;

#[derive(Serialize, Deserialize)]
struct WireToken {
    access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth_method: Option<String>,
    /// The time at which the token was obtained, by the clock of the publishing host.
    host_ms: i64,
    /// The same time by the store's clock.
    store_ms: i64,
    /// The full lifetime of the token.
    life_ms: u64,
    /// The duration of the token request, from sending it to the response.
    request_ms: u64,
    /// Whether it was requested because a server refused the previous one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    renewed: bool,
}

/// A published token, with times by this host's clock.
pub(super) struct Published {
    pub(super) token: Token,
    /// The form of the request that returned the token.
    pub(super) form: Option<String>,
    /// Whether it was requested because a server refused the previous one.
    pub(super) is_renewed: bool,
}

impl Drop for WireToken {
    fn drop(&mut self) {
        self.access_token.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
struct WireCooldown {
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    host_ms: i64,
    store_ms: i64,
    life_ms: u64,
}

/// Serializes a token for the store; `store_ms` is the store's clock at `now`.
pub(super) fn of_token(
    granted: &TokenGrant,
    is_renewed: bool,
    store_ms: i64,
    now: OffsetDateTime,
) -> Zeroizing<Vec<u8>> {
    let token = &granted.token;
    let age = milliseconds(now - token.obtained_at);
    bytes(&WireToken {
        access_token: token.access_token.expose().to_owned(),
        scope: token.scope.clone(),
        auth_method: granted.form.map(|form| form.name().to_owned()),
        host_ms: moment(token.obtained_at),
        store_ms: store_ms.saturating_sub(age),
        life_ms: whole(token.life()),
        request_ms: whole(
            (token.obtained_at - token.requested_at)
                .try_into()
                .unwrap_or_default(),
        ),
        renewed: is_renewed,
    })
}

/// Parses a published token. `now` is this host's clock before the store was read: the duration of
/// that round trip must not extend the token's life. Returns `None` if the token has expired or is
/// malformed.
pub(super) fn read_token(plain: &[u8], store_ms: i64, now: OffsetDateTime) -> Option<Published> {
    let mut wire: WireToken = serde_json::from_slice(plain).ok()?;
    let life = Duration::from_millis(wire.life_ms);
    let ages = Ages::of(wire.host_ms, wire.store_ms, store_ms, now);
    let expires_at = now + left(life, LONGEST_LIFE, ages)?;
    let access_token = AccessToken::parse(std::mem::take(&mut wire.access_token)).ok()?;
    let obtained_at = expires_at - life;
    let request_time = Duration::from_millis(wire.request_ms.min(LONGEST_REQUEST_MS));
    let token = Token {
        access_token,
        scope: wire.scope.take(),
        requested_at: obtained_at - request_time,
        obtained_at,
        expires_at,
    };
    Some(Published {
        token,
        form: wire.auth_method.take(),
        is_renewed: wire.renewed,
    })
}

/// Serializes a cool-down for the store.
pub(super) fn of_cooldown(
    cooldown: &Cooldown,
    store_ms: i64,
    now: OffsetDateTime,
) -> Zeroizing<Vec<u8>> {
    let life: Duration = (cooldown.until - cooldown.since)
        .try_into()
        .unwrap_or_default();
    bytes(&WireCooldown {
        message: cooldown.message.clone(),
        cause: cooldown.cause.clone(),
        hint: cooldown.hint.clone(),
        host_ms: moment(cooldown.since),
        store_ms: store_ms.saturating_sub(milliseconds(now - cooldown.since)),
        life_ms: whole(life),
    })
}

/// Parses a published cool-down and converts it to this host's clock.
pub(super) fn read_cooldown(plain: &[u8], store_ms: i64, now: OffsetDateTime) -> Option<Cooldown> {
    let wire: WireCooldown = serde_json::from_slice(plain).ok()?;
    let life = Duration::from_millis(wire.life_ms);
    let ages = Ages::of(wire.host_ms, wire.store_ms, store_ms, now);
    let until = now + left(life, LONGEST_COOLDOWN, ages)?;
    Some(Cooldown {
        since: until - life,
        until,
        reason: Reason::RateLimited,
        message: clean(&wire.message),
        cause: wire.cause.as_deref().map(clean),
        hint: wire.hint.as_deref().map(clean),
        scope: Scope::default(),
    })
}

/// The age of an entry by each clock.
#[derive(Clone, Copy)]
struct Ages {
    by_host: Duration,
    by_store: Duration,
}

impl Ages {
    fn of(host_ms: i64, store_ms: i64, store_now_ms: i64, now: OffsetDateTime) -> Self {
        let age = |then: i64, now: i64| {
            Duration::from_millis(now.saturating_sub(then).try_into().unwrap_or(0))
        };
        Self {
            by_host: age(host_ms, moment(now)),
            by_store: age(store_ms, store_now_ms),
        }
    }
}

/// The remaining part of a lifetime: by the store's clock, unless this host's clock gives a much
/// shorter one.
fn left(life: Duration, longest: Duration, ages: Ages) -> Option<Duration> {
    let by_host = (life + CLOCKS_APART).checked_sub(ages.by_host)?;
    let by_store = life.checked_sub(ages.by_store)?;
    let left = by_host.min(by_store);
    (life <= longest && !left.is_zero()).then_some(left)
}

fn bytes(wire: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(24 * 1024));
    // Writing numbers and text into memory cannot fail. An empty value would be a cache miss.
    if serde_json::to_writer(&mut *bytes, wire).is_err() {
        bytes.clear();
    }
    bytes
}

fn moment(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

fn milliseconds(span: time::Duration) -> i64 {
    i64::try_from(span.whole_milliseconds()).unwrap_or(i64::MAX)
}

fn whole(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
