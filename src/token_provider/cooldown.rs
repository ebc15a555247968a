//! The cool-down after each kind of failure, and the pause before a retry. No I/O.

use std::time::Duration;

use time::OffsetDateTime;

use crate::cache::{Cooldown, Reason, Scope};
use crate::oauth::{ErrorClass, ExchangeError};
use crate::types::diagnostic::Diagnostic;

/// The cool-down after a refusal. A fix changes the secret, which ends the cool-down at once.
const AFTER_REFUSAL: Duration = Duration::from_secs(30);

/// The longest pause after refusals of a secret that stays the same.
const LONGEST_REFUSAL_PAUSE: Duration = Duration::from_secs(300);

/// The cool-down after no response, or a response without a token.
const AFTER_UNAVAILABLE: Duration = Duration::from_secs(5);

/// The pause after a 429 without a duration: the vendor allows one more request every 15 s.
const AFTER_UNTOLD_LIMIT: Duration = Duration::from_secs(15);

/// The shortest pause after a 429, even if the server allows a request at once.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause after a failed refresh.
pub(super) const LONGEST_REFRESH_PAUSE: Duration = Duration::from_secs(300);

/// The maximum number of retries after a temporary failure in one call.
const MOST_RETRIES: u32 = 3;

/// The first pause before a retry; each later one is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(200);

/// The cool-down after a failure, for the callers in `scope`.
pub(super) fn of(
    failure: &ExchangeError,
    told: Diagnostic,
    now: OffsetDateTime,
    scope: Scope,
) -> Cooldown {
    let (reason, pause) = match failure {
        ExchangeError::Refused { .. } => (Reason::Refused, AFTER_REFUSAL),
        ExchangeError::RateLimited { pause } => (Reason::RateLimited, rate_limit_pause(*pause)),
        ExchangeError::ServerError { .. }
        | ExchangeError::InvalidResponse(_)
        | ExchangeError::Transport(_) => (Reason::Unavailable, AFTER_UNAVAILABLE),
    };
    // A rate limit applies to the credential and an outage to all callers. Only a refusal depends
    // on the secret and the form of the request, and only a time-out depends on the time limit.
    let is_timeout = failure.class() == ErrorClass::TimedOut;
    let scope = match reason {
        Reason::Refused => Scope {
            time_limit: None,
            ..scope
        },
        _ => Scope {
            time_limit: scope.time_limit.filter(|_| is_timeout),
            ..Scope::default()
        },
    };
    Cooldown {
        since: now,
        until: now + pause,
        reason,
        message: told.what,
        cause: told.cause,
        hint: told.hint,
        scope,
    }
}

/// The pause after a repeated refusal of the same secret; `last` is the previous pause. The pause
/// grows, so that an old secret that stays in use does not use up the rate limit of the credential.
pub(super) fn pause_after_repeated_refusal(last: Duration) -> Duration {
    (last * 2).clamp(AFTER_REFUSAL, LONGEST_REFUSAL_PAUSE)
}

/// The cool-down for the waiting callers if a program does not return the secret that it stores. So
/// a locked vault prompts the user once, not once per process.
pub(super) fn of_missing_secret(told: Diagnostic, now: OffsetDateTime, scope: Scope) -> Cooldown {
    Cooldown {
        since: now,
        until: now + AFTER_UNAVAILABLE,
        reason: Reason::NoSecret,
        message: told.what,
        cause: told.cause,
        hint: told.hint,
        scope,
    }
}

/// The pause before a retry in this call; `None` if there is no retry.
///
/// A rate limit is waited out once, for the duration that the server gives. A temporary failure is
/// retried a few times. The pauses grow and are random in part, so that many hosts do not send
/// requests at the same time.
pub(super) fn pause_before_retry(
    failure: &ExchangeError,
    retries: u32,
    has_paused: bool,
) -> Option<Duration> {
    match failure {
        ExchangeError::RateLimited { pause } if !has_paused => Some(rate_limit_pause(*pause)),
        _ if failure.class() == ErrorClass::Unavailable && retries < MOST_RETRIES => {
            let chance = f64::from(getrandom::u32().unwrap_or(0)) / f64::from(u32::MAX);
            Some((FIRST_RETRY * 2_u32.pow(retries)).mul_f64(0.5 + chance))
        }
        _ => None,
    }
}

/// The pause after a failed refresh: long compared with the delay that a retry may cost a caller,
/// short compared with the remaining life of the token.
pub(super) fn pause_before_refresh(time_left: Duration) -> Duration {
    (time_left / 20).clamp(Duration::from_secs(30), LONGEST_REFRESH_PAUSE)
}

fn rate_limit_pause(told: Option<Duration>) -> Duration {
    told.unwrap_or(AFTER_UNTOLD_LIMIT).max(SHORTEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::{
        AFTER_REFUSAL, Diagnostic, ExchangeError, Reason, Scope, of, pause_after_repeated_refusal,
        pause_before_refresh, pause_before_retry,
    };
    use crate::cache::{Cooldown, SecretDigest};
    use crate::oauth::{InvalidResponse, Refusal};
    use crate::types::secret::Secret;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn refused() -> ExchangeError {
        ExchangeError::Refused {
            refusal: Refusal::Credentials,
            status: 401,
            error_code: None,
            server_text: None,
        }
    }

    fn limited(pause: Option<Duration>) -> ExchangeError {
        ExchangeError::RateLimited { pause }
    }

    fn unavailable() -> ExchangeError {
        ExchangeError::ServerError {
            status: 503,
            server_text: None,
        }
    }

    fn unusable() -> ExchangeError {
        ExchangeError::InvalidResponse(InvalidResponse::Expired)
    }

    fn timed_out() -> ExchangeError {
        ExchangeError::timed_out()
    }

    fn left_by(failure: &ExchangeError) -> Cooldown {
        let told = Diagnostic {
            what: "what".to_owned(),
            cause: Some("cause".to_owned()),
            hint: Some("hint".to_owned()),
        };
        let scope = Scope {
            secret: SecretDigest::of(&Secret::new("s3cret".to_owned())),
            is_from_program: false,
            auth_method: Some("auto".to_owned()),
            time_limit: Some(Duration::from_secs(9)),
        };
        of(failure, told, NOW, scope)
    }

    #[test]
    fn each_failure_binds_as_long_as_the_contract_says() {
        let second = Duration::from_secs;
        for (failure, reason, seconds) in [
            (refused(), Reason::Refused, 30),
            (limited(Some(second(60))), Reason::RateLimited, 60),
            (limited(Some(second(0))), Reason::RateLimited, 1),
            (limited(None), Reason::RateLimited, 15),
            (unavailable(), Reason::Unavailable, 5),
            (unusable(), Reason::Unavailable, 5),
            (timed_out(), Reason::Unavailable, 5),
        ] {
            let cooldown = left_by(&failure);
            assert_eq!(cooldown.reason, reason, "{failure:?}");
            assert_eq!(cooldown.since, NOW);
            assert_eq!(cooldown.until, NOW + second(seconds), "{failure:?}");
            assert_eq!(cooldown.message, "what");
            assert_eq!(cooldown.cause.as_deref(), Some("cause"));
            assert_eq!(cooldown.hint.as_deref(), Some("hint"));
        }
    }

    #[test]
    fn scope_is_as_wide_as_the_failure_concerns_callers() {
        let refusal = left_by(&refused()).scope;
        assert!(refusal.secret.is_some() && refusal.auth_method.is_some());
        assert_eq!(refusal.time_limit, None);
        for failure in [limited(None), unavailable(), unusable()] {
            let scope = left_by(&failure).scope;
            assert_eq!(scope, Scope::default(), "{failure:?} binds all callers");
        }
        let limit = left_by(&timed_out()).scope.time_limit;
        assert_eq!(limit, Some(Duration::from_secs(9)));
    }

    #[test]
    fn pause_grows_while_a_secret_stays_refused() {
        let mut pause = AFTER_REFUSAL;
        let mut pauses = Vec::new();
        for _ in 0..5 {
            pause = pause_after_repeated_refusal(pause);
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [60, 120, 240, 300, 300]);
    }

    #[test]
    fn a_limit_is_waited_out_once_and_as_long_as_the_server_says() {
        let told = limited(Some(Duration::from_secs(7)));
        assert_eq!(
            pause_before_retry(&told, 0, false),
            Some(Duration::from_secs(7))
        );
        assert_eq!(pause_before_retry(&told, 0, true), None, "only one wait");
    }

    #[test]
    fn a_passing_failure_is_tried_again_three_times_with_growing_pauses() {
        for (retries, least, most) in [(0, 100, 300), (1, 200, 600), (2, 400, 1200)] {
            for _ in 0..50 {
                let pause = pause_before_retry(&unavailable(), retries, false).unwrap();
                assert!(
                    (least..=most).contains(&pause.as_millis()),
                    "half to one and a half of the pause: {pause:?}"
                );
            }
        }
        assert_eq!(pause_before_retry(&unavailable(), 3, false), None);
        let pauses: std::collections::BTreeSet<_> = (0..20)
            .map(|_| pause_before_retry(&unavailable(), 0, false))
            .collect();
        assert!(pauses.len() > 1, "pauses must be random");
    }

    #[test]
    fn what_will_fail_again_is_not_tried_again() {
        for failure in [refused(), unusable(), timed_out()] {
            assert_eq!(pause_before_retry(&failure, 0, false), None, "{failure:?}");
        }
    }

    #[test]
    fn a_failed_refresh_is_left_alone_for_a_twentieth_of_what_is_left_within_bounds() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        for (left, pause) in [
            (minutes(1), Duration::from_secs(30)),
            (minutes(20), minutes(1)),
            (minutes(144), minutes(5)),
        ] {
            assert_eq!(pause_before_refresh(left), pause);
        }
    }
}
