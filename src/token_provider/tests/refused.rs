//! Tests of tokens that a server refused.

use std::time::Duration;

use super::{EraseTarget, ExchangeError, Fixture, ObtainError, Reason, refused, unavailable};

#[test]
fn a_refused_token_is_dropped_and_its_successor_not_within_a_minute() {
    let scene = Fixture::new();
    let first = scene.token();
    scene.erase(EraseTarget::Refused(Some("t-other")));
    assert_eq!(scene.token(), first, "another token was refused");

    scene.erase(EraseTarget::Refused(Some(&first)));
    let second = scene.token();
    assert_ne!(second, first, "the refused one is replaced");

    for which in [
        EraseTarget::Refused(Some(&second)),
        EraseTarget::Refused(None),
    ] {
        scene.erase(which);
        assert_eq!(scene.token(), second, "only one refusal a minute counts");
    }
    scene.clock.advance(Duration::from_secs(60));
    scene.erase(EraseTarget::Refused(None));
    assert_ne!(scene.token(), second, "accepted again after a minute");
    assert_eq!(scene.asked(), 3);
}

#[test]
fn a_refused_token_is_the_answer_while_another_cannot_be_had_but_not_against_a_refusal() {
    let scene = Fixture::new();
    let first = scene.token();
    *scene.endpoint.always.borrow_mut() = Some(unavailable());
    scene.erase(EraseTarget::Refused(Some(&first)));
    assert_eq!(scene.token(), first, "another server may accept it");
    assert_eq!(scene.token(), first, "also in the cool-down");

    *scene.endpoint.always.borrow_mut() = Some(refused());
    scene.clock.advance(Duration::from_secs(10));
    assert!(
        matches!(
            scene.call(30, false),
            Err(ObtainError::Exchange(ExchangeError::Refused { .. }))
        ),
        "a refusal must be reported instead of the refused token"
    );
    assert_eq!(scene.cooling(), Some(Reason::Refused));

    *scene.endpoint.always.borrow_mut() = None;
    scene.clock.advance(Duration::from_secs(31));
    assert_ne!(scene.token(), first);
}

#[test]
fn erasing_whatever_is_there_leaves_the_cool_down() {
    let scene = Fixture::new();
    scene.token();
    scene.clock.advance(Duration::from_secs(1));
    scene.endpoint.script.borrow_mut().push_back(refused());
    assert!(scene.call(30, true).is_err());
    scene.erase(EraseTarget::Any);
    assert_eq!(
        scene.cooling(),
        Some(Reason::Refused),
        "erasing must not end a cool-down"
    );
}
