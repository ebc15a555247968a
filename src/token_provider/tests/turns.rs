//! Tests of the lease if several hosts need a token: which host waits for another, for how long,
//! and which events are reported.

use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::limited;
use super::memory::Hosts;
use crate::system::clock::{Clock as _, Deadline};
use crate::token_provider::{Event, ObtainError, TokenRequest};

/// The duration of a call to the store.
const LATENCY: Duration = Duration::from_millis(1);

/// The limit for a call that does not wait: it allows a few calls to the store.
const AT_ONCE: Duration = Duration::from_millis(10);

impl Hosts {
    fn elapsed(&self) -> Duration {
        self.scene.clock.elapsed()
    }

    /// Returns the result of a call and its duration.
    fn timed(&self, host: u32, ask: &TokenRequest) -> (Result<String, ObtainError>, Duration) {
        let start = self.elapsed();
        let answer = self.call(host, ask);
        (answer, self.elapsed().saturating_sub(start))
    }

    /// Calls `act` while host 1 waits out a rate limit of `seconds`. Host 1 continues only after
    /// `act` returns.
    fn while_one_waits_out(&self, seconds: u64, act: &dyn Fn()) {
        let mut script = self.scene.endpoint.script.borrow_mut();
        script.push_front(limited(seconds));
        drop(script);
        let has_acted = Cell::new(false);
        let notify = |notice: Event<'_>| {
            if matches!(notice, Event::Pausing(_)) && !has_acted.replace(true) {
                act();
            }
        };
        let ask = self.scene.ask(600);
        let answer = self.listen(1, &notify, |broker| broker.obtain(&ask));
        assert!(answer.is_ok(), "{answer:?}");
        assert!(has_acted.get());
    }

    /// Returns a sealed token of another host. No host in the test has it.
    fn sealed(&self) -> Vec<u8> {
        self.token(99);
        let (_, sealed) = self.memory.found(":token").unwrap();
        self.memory.flush();
        sealed
    }

    /// Returns the pauses of a host, without its calls to the store.
    fn pauses(&self) -> Vec<Duration> {
        let slept = self.scene.clock.slept.take();
        slept.into_iter().filter(|pause| *pause > LATENCY).collect()
    }
}

// Another host waits out a rate limit.

#[test]
fn a_limit_that_another_host_waits_out_is_waited_for_in_one_piece() {
    let hosts = Hosts::new();
    let token = hosts.sealed();
    hosts.while_one_waits_out(20, &|| {
        let start = hosts.elapsed();
        let spoken = RefCell::new(Vec::new());
        let notify = |notice: Event<'_>| {
            if let Event::WaitingForHost(limit) = notice {
                let passed = hosts.elapsed().saturating_sub(start);
                spoken.borrow_mut().push((passed, limit));
                assert!(
                    !hosts.slot(2).read().cooldowns.is_empty(),
                    "other processes of this host must see the cool-down"
                );
                hosts.put(":token", &token, 3600);
            }
        };
        let ask = hosts.scene.ask(30);
        hosts.pauses();
        let answer = hosts.listen(2, &notify, |broker| broker.obtain(&ask));

        assert_eq!(
            answer.unwrap().access_token.expose(),
            "t-1",
            "stored during the wait"
        );
        let [(passed, limit)] = spoken.take()[..] else {
            panic!("the wait must be reported once");
        };
        assert!(passed < AT_ONCE, "not at once: {passed:?}");
        assert_eq!(limit, ask.deadline.limit());
        let [pause] = hosts.pauses()[..] else {
            panic!("the store must not be read before the limit ends");
        };
        let (least, most) = (Duration::from_secs(20), Duration::from_millis(20_075));
        assert!(pause >= least && pause <= most, "{pause:?}");
    });
}

#[test]
fn whoever_waited_for_a_host_that_never_comes_back_asks_when_its_lease_ends() {
    let hosts = Hosts::new();
    hosts.while_one_waits_out(20, &|| {
        let (answer, took) = hosts.timed(2, &hosts.scene.ask(60));
        assert_eq!(answer.unwrap(), "t-2");
        let (least, most) = (Duration::from_millis(24_900), Duration::from_millis(25_800));
        assert!(took > least && took < most, "not 5 s after it: {took:?}");
    });
}

#[test]
fn a_limit_is_waited_for_only_where_more_than_the_second_to_ask_is_left_behind_it() {
    let hosts = Hosts::new();
    hosts.while_one_waits_out(20, &|| {
        let until = hosts.slot(1).read().cooldowns.remove(0).until;
        for (host, further, is_waited_for) in [(2, 0, false), (3, 1, true)] {
            let left: Duration = (until - hosts.scene.clock.now()).try_into().unwrap();
            let limit = left + Duration::from_millis(1000 + further);
            let ask = TokenRequest {
                deadline: Deadline::from_now(&hosts.scene.clock, limit),
                ..hosts.scene.ask(0)
            };
            let (answer, took) = hosts.timed(host, &ask);
            if is_waited_for {
                assert_eq!(answer.unwrap(), "t-2", "{limit:?}");
                assert!(took >= left, "{took:?}");
            } else {
                assert!(
                    matches!(answer, Err(ObtainError::CoolingDown(_))),
                    "{answer:?}"
                );
                assert!(took < AT_ONCE, "{took:?}");
            }
        }
    });
}

#[test]
fn a_limit_that_no_host_waits_out_is_told_at_once_and_noted_on_each_host() {
    let hosts = Hosts::new();
    let script = &hosts.scene.endpoint.script;
    script.borrow_mut().push_back(limited(20));
    hosts.call(1, &hosts.scene.ask(9)).unwrap_err();
    let (answer, took) = hosts.timed(2, &hosts.scene.ask(30));
    assert!(
        matches!(answer, Err(ObtainError::CoolingDown(_))),
        "{answer:?}"
    );
    assert!(took < AT_ONCE, "it must not wait: {took:?}");
    let before = hosts.memory.calls.load(Ordering::Relaxed);
    hosts.call(2, &hosts.scene.ask(30)).unwrap_err();
    let after = hosts.memory.calls.load(Ordering::Relaxed);
    assert_eq!(before, after, "the local cool-down must suffice");
}

#[test]
fn who_makes_one_request_at_most_waits_for_no_other_host() {
    let hosts = Hosts::new();
    hosts.while_one_waits_out(20, &|| {
        let ask = TokenRequest {
            is_single: true,
            ..hosts.scene.ask(30)
        };
        let (answer, took) = hosts.timed(2, &ask);
        assert!(
            matches!(answer, Err(ObtainError::CoolingDown(_))),
            "{answer:?}"
        );
        assert!(took < AT_ONCE, "{took:?}");
    });
}

#[test]
fn who_has_a_good_token_waits_for_no_limit() {
    let hosts = Hosts::new();
    hosts.token(2);
    hosts.advance(3000);
    hosts.memory.flush();
    hosts.while_one_waits_out(2, &|| {
        hosts.put(":refresh", b"another host's", 30);
        let (answer, took) = hosts.timed(2, &hosts.scene.ask(30));
        assert_eq!(answer.unwrap(), "t-1");
        assert!(took < AT_ONCE, "{took:?}");
    });
}

#[test]
fn whoever_waits_out_a_limit_keeps_the_lease_for_5_seconds_more_and_asks_by_it() {
    let hosts = Hosts::new();
    let start = hosts.elapsed();
    hosts.while_one_waits_out(20, &|| {
        let values = hosts.memory.values.lock().unwrap();
        let lease = values.iter().find(|(key, _)| key.ends_with(":lease"));
        let (_, end) = lease.unwrap().1;
        let now = hosts.scene.clock.now().unix_timestamp_nanos() / 1_000_000;
        let left = i128::from(*end) - now;
        assert!((24_990..=25_000).contains(&left), "{left} ms");
    });
    let took = hosts.elapsed().saturating_sub(start);
    let limit = Duration::from_secs(20);
    assert!(took >= limit && took < limit + AT_ONCE, "{took:?}");
    assert_eq!(hosts.scene.asked(), 2);
    assert!(hosts.memory.found(":lease").is_none(), "released");
}

#[test]
fn who_waited_out_a_limit_without_a_lease_takes_what_came_meanwhile() {
    let hosts = Hosts::new();
    let token = hosts.sealed();
    hosts.put(":lease", b"failed", 600);
    hosts.while_one_waits_out(3, &|| hosts.put(":token", &token, 3600));
    assert_eq!(hosts.token(1), "t-1");
    assert_eq!(
        hosts.scene.asked(),
        2,
        "one by `sealed`, one that was rate limited"
    );
}

// Another host sends a token request.

#[test]
fn a_wait_for_another_host_is_told_once_after_2_seconds() {
    for (held, count) in [(1, 0), (9, 1)] {
        let hosts = Hosts::new();
        hosts.put(":lease", b"another host's", held);
        let spoken = RefCell::new(Vec::new());
        let notify = |notice: Event<'_>| {
            if let Event::WaitingForHost(limit) = notice {
                spoken.borrow_mut().push((hosts.elapsed(), limit));
            }
        };
        let ask = hosts.scene.ask(30);
        let answer = hosts.listen(2, &notify, |broker| broker.obtain(&ask));
        assert!(answer.is_ok(), "{answer:?}");
        let spoken = spoken.take();
        assert_eq!(spoken.len(), count, "{held} s");
        for (at, limit) in spoken {
            let (least, most) = (Duration::from_secs(2), Duration::from_millis(2_760));
            assert!(at > least && at < most, "{at:?}");
            assert_eq!(limit, ask.deadline.limit());
        }
    }
}

#[test]
fn a_lease_is_stale_when_the_same_one_has_stood_for_10_seconds() {
    let hosts = Hosts::new();
    hosts.put(":lease", b"one", 3600);
    let notify = |notice: Event<'_>| {
        // After 2 s another host takes the lease.
        if matches!(notice, Event::WaitingForHost(_)) {
            hosts.put(":lease", b"two", 3600);
        }
    };
    let ask = hosts.scene.ask(30);
    let answer = hosts.listen(2, &notify, |broker| broker.obtain(&ask));
    assert!(answer.is_ok(), "{answer:?}");
    let took = hosts.elapsed();
    let (least, most) = (Duration::from_secs(12), Duration::from_millis(14_300));
    assert!(took > least && took < most, "{took:?}");
}

#[test]
fn the_pauses_between_looks_grow_by_half_up_to_half_a_second() {
    let hosts = Hosts::new();
    hosts.put(":lease", b"another host's", 9);
    hosts.token(2);
    let pauses = hosts.pauses();
    let expected = [50.0, 75.0, 112.5, 168.75, 253.125, 379.6875];
    assert!(pauses.len() > expected.len());
    for (number, pause) in pauses.iter().enumerate() {
        let about = expected.get(number).copied().unwrap_or(500.0) / 1000.0;
        let (least, most) = (0.499 * about, 1.501 * about);
        let seconds = pause.as_secs_f64();
        assert!(seconds > least && seconds < most, "{number}: {pause:?}");
    }
}

#[test]
fn a_look_that_finds_the_answer_is_the_only_one() {
    let hosts = Hosts::new();
    hosts.token(1);
    let before = hosts.memory.calls.load(Ordering::Relaxed);
    hosts.token(2);
    let after = hosts.memory.calls.load(Ordering::Relaxed);
    assert_eq!(after - before, 1, "a cached token needs no lease");
}

#[test]
fn a_store_that_does_not_answer_has_a_third_of_the_time_that_is_left() {
    let hosts = Hosts::new();
    hosts.memory.is_down.store(true, Ordering::Relaxed);
    for (host, limit, takes) in [(1, 3, 1), (2, 6, 2), (3, 30, 2)] {
        let (answer, took) = hosts.timed(host, &hosts.scene.ask(limit));
        assert!(answer.is_ok(), "{answer:?}");
        assert_eq!(took, Duration::from_secs(takes), "of {limit} s");
    }
}
