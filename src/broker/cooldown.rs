//! How long nobody asks after which failure, and how long before one caller tries again. No I/O.

use std::time::Duration;

use time::OffsetDateTime;

use super::explain::Explanation;
use crate::cache::{Cooldown, Reason, SecretDigest};
use crate::oauth::Failure;

/// After a refusal: whoever mends it changes the secret, which ends the cool-down at once.
const AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// After no answer, or one that is no token.
const AFTER_UNAVAILABLE: Duration = Duration::from_secs(5);

/// After a 429 that does not say how long: the vendor gives one request back every 15 s.
const AFTER_UNTOLD_LIMIT: Duration = Duration::from_secs(15);

/// A server that says "now" with a 429 is not asked again within this.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// How often a passing failure is tried again within one run.
const MOST_RETRIES: u32 = 3;

/// The first of the pauses between these tries; each later one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(200);

/// The cool-down that a failure leaves.
pub(super) fn of(
    failure: &Failure,
    told: Explanation,
    now: OffsetDateTime,
    secret: Option<SecretDigest>,
) -> Cooldown {
    let (reason, pause) = match failure {
        Failure::Refused { .. } => (Reason::Refused, AFTER_REFUSAL),
        Failure::RateLimited { pause } => (Reason::RateLimited, rate_limit_pause(*pause)),
        Failure::Unavailable { .. } | Failure::Unusable { .. } | Failure::TimedOut { .. } => {
            (Reason::Unavailable, AFTER_UNAVAILABLE)
        }
    };
    Cooldown {
        since: now,
        until: now + pause,
        reason,
        message: told.what,
        cause: told.cause,
        hint: told.hint,
        // A limit is the credential's and an outage is everybody's; only a refusal is the secret's.
        secret: secret.filter(|_| reason == Reason::Refused),
    }
}

/// How long to wait before the same request is tried again in this run; `None`: not at all.
///
/// A limit is waited out once, as long as the server says. A passing failure is tried again a few
/// times, with growing pauses and some chance in them, so that many hosts do not knock in step.
pub(super) fn pause_before_retry(
    failure: &Failure,
    retries: u32,
    has_paused: bool,
) -> Option<Duration> {
    match failure {
        Failure::RateLimited { pause } if !has_paused => Some(rate_limit_pause(*pause)),
        Failure::Unavailable { .. } if retries < MOST_RETRIES => {
            let chance = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
            Some((FIRST_RETRY * 2_u32.pow(retries)).mul_f64(0.5 + chance))
        }
        _ => None,
    }
}

/// How long a failed refresh ahead of expiry is left alone: long against the time it may cost a
/// caller, short against what is left of the token.
pub(super) fn pause_before_refresh(time_left: Duration) -> Duration {
    (time_left / 20).clamp(Duration::from_secs(30), Duration::from_secs(300))
}

fn rate_limit_pause(told: Option<Duration>) -> Duration {
    told.unwrap_or(AFTER_UNTOLD_LIMIT).max(SHORTEST_PAUSE)
}
