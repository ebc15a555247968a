//! Tests of a program that does not return the secret.

use std::time::Duration;

use super::{Clock as _, Fixture, ObtainError, Reason, SourceError};

fn slow() -> SourceError {
    SourceError::TimedOut {
        program: "op".to_owned(),
        limit: Duration::ZERO,
    }
}

#[test]
fn word_of_a_secret_that_a_program_does_not_give_is_left_for_those_who_wait() {
    // Whether a call with a time limit of `seconds` records a cool-down.
    let leaves = |is_costly, is_slow, seconds| {
        let scene = Fixture::new();
        scene.endpoint.has_secret.set(false);
        scene.endpoint.is_costly.set(is_costly);
        if is_slow {
            scene.endpoint.missing.set(slow);
        }
        assert!(matches!(
            scene.call(seconds, false),
            Err(ObtainError::Source(_))
        ));
        let left = scene.slot.read().cooldowns.pop();
        left.is_some_and(|left| {
            assert_eq!(left.reason, Reason::NoSecret);
            assert!(left.until > scene.clock.now(), "waiting callers are bound");
            true
        })
    };
    assert!(leaves(true, false, 30));
    assert!(!leaves(false, false, 30), "a cheap source is not recorded");
    assert!(leaves(true, true, 30), "30 s were enough");
    assert!(leaves(true, true, 4));
    assert!(!leaves(true, true, 3), "the time limit was too short");
    assert!(leaves(true, false, 3), "only time-outs depend on time");
}
