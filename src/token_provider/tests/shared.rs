//! Tests of the shared store over time: hosts with one cache each, one store, and one clock that
//! the test moves.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::memory::{Connection, Hosts, key};
use super::{limited, refused, unavailable};
use crate::system::clock::Clock as _;
use crate::token_provider::{EraseTarget, Event, ObtainError, Shared, TokenProvider, TokenRequest};

#[test]
fn a_token_is_fetched_once_for_all_hosts() {
    let hosts = Hosts::new();
    let tokens: Vec<String> = (0..50).map(|host| hosts.token(host)).collect();
    assert!(tokens.iter().all(|token| token == "t-1"), "{tokens:?}");
    assert_eq!(hosts.scene.asked(), 1);
    let before = hosts.memory.calls.load(Ordering::Relaxed);
    hosts.token(7);
    let after = hosts.memory.calls.load(Ordering::Relaxed);
    assert_eq!(before, after, "a fresh token needs no store");
    assert!(hosts.memory.found(":lease").is_none(), "released");
}

#[test]
fn a_store_that_fails_costs_its_own_time_and_one_warning() {
    let hosts = Hosts::new();
    hosts.memory.is_down.store(true, Ordering::Relaxed);
    let start = hosts.scene.clock.now();
    assert_eq!(hosts.token(1), "t-1");
    assert_eq!(hosts.token(2), "t-2", "each host sends a request");
    assert_eq!(hosts.warnings.get(), 2, "one per host");
    assert!(
        hosts.scene.clock.now() - start < Duration::from_secs(5),
        "2 s per host"
    );
}

#[test]
fn a_store_that_fails_in_the_middle_fails_no_answer() {
    for stage in 1..=4 {
        let hosts = Hosts::new();
        let memory = &hosts.memory;
        let connection = Connection {
            memory,
            clock: &hosts.scene.clock,
            latency: Duration::ZERO,
        };
        let failing = Failing {
            inner: connection,
            left: Cell::new(stage),
        };
        let identity = || key();
        let warnings = Cell::new(0);
        let broker = TokenProvider {
            clock: &hosts.scene.clock,
            slot: Some(hosts.slot(1)),
            endpoint: &hosts.scene.endpoint,
            shared: Some(&Shared::new(&failing, "p:", &identity)),
            notify: &|notice: Event<'_>| {
                if matches!(notice, Event::StoreUnusable(_)) {
                    warnings.set(warnings.get() + 1);
                }
            },
        };
        let token = broker.obtain(&hosts.scene.ask(30)).unwrap();
        assert_eq!(token.access_token.expose(), "t-1", "call {stage} fails");
        assert_eq!(warnings.get(), 1, "one warning");
    }
}

/// A store that fails from the `left`th call on.
struct Failing<'a> {
    inner: Connection<'a>,
    left: Cell<u32>,
}

impl Failing<'_> {
    fn step(&self) -> Result<(), crate::shared_store::StoreError> {
        self.left.set(self.left.get().saturating_sub(1));
        match self.left.get() {
            0 => Err(crate::shared_store::StoreError::Garbage),
            _ => Ok(()),
        }
    }
}

impl crate::shared_store::Store for Failing<'_> {
    fn look(
        &self,
        names: &crate::shared_store::Keys,
        limit: Duration,
    ) -> Result<crate::shared_store::StoreSnapshot, crate::shared_store::StoreError> {
        self.step()?;
        self.inner.look(names, limit)
    }

    fn take(
        &self,
        names: &crate::shared_store::Keys,
        key: &str,
        holder: &str,
        life: Duration,
        limit: Duration,
    ) -> Result<(bool, crate::shared_store::StoreSnapshot), crate::shared_store::StoreError> {
        self.step()?;
        self.inner.take(names, key, holder, life, limit)
    }

    fn put(
        &self,
        key: &str,
        value: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), crate::shared_store::StoreError> {
        self.step()?;
        self.inner.put(key, value, life, limit)
    }

    fn replace(
        &self,
        key: &str,
        old: &[u8],
        new: &[u8],
        life: Duration,
        limit: Duration,
    ) -> Result<(), crate::shared_store::StoreError> {
        self.step()?;
        self.inner.replace(key, old, new, life, limit)
    }

    fn remove(
        &self,
        key: &str,
        value: &[u8],
        limit: Duration,
    ) -> Result<(), crate::shared_store::StoreError> {
        self.step()?;
        self.inner.remove(key, value, limit)
    }
}

#[test]
fn a_limit_binds_every_host_and_is_the_same_error() {
    let hosts = Hosts::new();
    hosts
        .scene
        .endpoint
        .script
        .borrow_mut()
        .push_back(limited(60));
    assert!(matches!(
        hosts.call(1, &hosts.scene.ask(30)),
        Err(ObtainError::Exchange(_))
    ));
    for host in [1, 2, 3] {
        let told = hosts.call(host, &hosts.scene.ask(30));
        assert!(matches!(told, Err(ObtainError::CoolingDown(_))), "{told:?}");
    }
    assert_eq!(hosts.scene.asked(), 1, "no request in a cool-down");
    hosts.advance(61);
    assert_eq!(hosts.token(2), "t-2");
    assert_eq!(hosts.token(3), "t-2");
}

#[test]
fn what_may_be_one_hosts_own_trouble_binds_no_other() {
    for failure in [refused(), unavailable()] {
        let hosts = Hosts::new();
        hosts
            .scene
            .endpoint
            .script
            .borrow_mut()
            .extend(vec![failure; 4]);
        hosts.call(1, &hosts.scene.ask(30)).unwrap_err();
        hosts.scene.endpoint.script.borrow_mut().clear();
        let start = hosts.scene.clock.now();
        hosts.token(2);
        assert!(
            hosts.scene.clock.now() - start < Duration::from_secs(1),
            "no wait"
        );
    }
}

#[test]
fn a_dead_holder_costs_the_others_the_life_of_its_lease() {
    let hosts = Hosts::new();
    hosts.token(1);
    hosts.put(":lease", b"0123456789abcdef0123456789abcdef", 5);
    let (token, _) = hosts.memory.found(":token").unwrap();
    hosts.memory.values.lock().unwrap().remove(&token);
    let start = hosts.scene.clock.now();
    assert_eq!(hosts.call(2, &hosts.scene.ask(9)).unwrap(), "t-2");
    let waited = hosts.scene.clock.now() - start;
    assert!(
        waited > Duration::from_secs(4) && waited < Duration::from_secs(6),
        "{waited}"
    );
}

#[test]
fn a_lease_that_never_ends_is_none_of_ours() {
    let hosts = Hosts::new();
    hosts.token(1);
    hosts.put(":lease", b"forged", 3600);
    let (token, _) = hosts.memory.found(":token").unwrap();
    hosts.memory.values.lock().unwrap().remove(&token);
    let start = hosts.scene.clock.now();
    assert_eq!(hosts.token(2), "t-2");
    assert!(hosts.scene.clock.now() - start < Duration::from_secs(12));
}

#[test]
fn one_host_looks_for_the_next_token_and_the_others_take_it() {
    let hosts = Hosts::new();
    for host in 0..20 {
        hosts.token(host);
    }
    hosts.advance(3000);
    for host in 0..20 {
        assert_eq!(hosts.token(host), "t-2", "host {host}");
    }
    assert_eq!(hosts.scene.asked(), 2);
}

#[test]
fn after_a_refresh_in_vain_no_host_tries_for_a_while() {
    let hosts = Hosts::new();
    for host in 0..20 {
        hosts.token(host);
    }
    hosts.advance(3000);
    hosts.scene.endpoint.always.replace(Some(unavailable()));
    for host in 0..20 {
        assert_eq!(hosts.token(host), "t-1", "the current token is kept");
    }
    assert_eq!(hosts.scene.asked(), 2, "one refresh");
    hosts.advance(31);
    for host in 0..20 {
        assert_eq!(hosts.token(host), "t-1");
    }
    assert_eq!(hosts.scene.asked(), 3, "one more refresh");
}

#[test]
fn an_old_entry_put_back_is_a_miss() {
    let hosts = Hosts::new();
    hosts.token(1);
    let (_, old) = hosts.memory.found(":token").unwrap();
    hosts.advance(3000);
    assert_eq!(hosts.token(1), "t-2");
    hosts.put(":token", &old, 9999);
    hosts.advance(500);
    assert_eq!(hosts.token(1), "t-2", "the local token is fresh");
    hosts.advance(2600);
    hosts.put(":token", &old, 9999);
    assert_eq!(hosts.token(1), "t-3", "older than what this host has");
    hosts.put(":token", &old, 9999);
    assert_eq!(hosts.token(2), "t-4", "expired for every host");
}

#[test]
fn a_renewed_token_replaces_a_refused_one_on_every_host_that_holds_it() {
    let hosts = Hosts::new();
    for host in [1, 2] {
        hosts.token(host);
    }
    let ask = hosts.scene.ask(9);
    for host in [1, 2] {
        hosts
            .on(host, |broker| {
                broker.erase(EraseTarget::Refused(None), &ask)
            })
            .unwrap();
        assert_eq!(hosts.token(host), "t-2", "host {host}");
    }
    assert_eq!(
        hosts.scene.asked(),
        2,
        "the second host takes the token of the first"
    );
}

#[test]
fn erase_drops_the_shared_token_only_where_it_is_the_named_one() {
    let hosts = Hosts::new();
    hosts.token(1);
    let ask = hosts.scene.ask(9);
    hosts
        .on(2, |broker| broker.erase(EraseTarget::Only("t-0"), &ask))
        .unwrap();
    assert!(hosts.memory.found(":token").is_some(), "not the target");
    hosts
        .on(2, |broker| broker.erase(EraseTarget::Only("t-1"), &ask))
        .unwrap();
    assert!(hosts.memory.found(":token").is_none());
    assert_eq!(hosts.token(3), "t-2");
    hosts
        .on(2, |broker| broker.erase(EraseTarget::Any, &ask))
        .unwrap();
    assert!(hosts.memory.found(":token").is_none(), "`Any` removes it");
}

#[test]
fn refresh_wants_a_token_from_after_the_call_began() {
    let hosts = Hosts::new();
    hosts.token(1);
    hosts.advance(10);
    let ask = TokenRequest {
        not_before: Some(hosts.scene.clock.now()),
        ..hosts.scene.ask(30)
    };
    assert_eq!(hosts.call(2, &ask).unwrap(), "t-2");
    assert_eq!(hosts.token(3), "t-2", "all hosts get it");
}

#[test]
fn a_rotated_secret_misses() {
    let hosts = Hosts::new();
    hosts.token(1);
    hosts.scene.endpoint.secret.replace("two");
    assert_eq!(hosts.token(2), "t-2");
    assert_eq!(
        hosts.memory.values.lock().unwrap().len(),
        2,
        "under another key"
    );
}

#[test]
fn what_somebody_put_there_instead_is_a_miss() {
    let hosts = Hosts::new();
    hosts.token(1);
    for value in [
        &b""[..],
        b"garbage",
        &[1; 57],
        &[1; 100],
        &vec![0xff; 64 * 1024],
    ] {
        hosts.put(":token", value, 60);
        hosts.put(":cooldown", value, 60);
        let before = hosts.scene.asked();
        let (_, calls) = (hosts.token(2 + before), hosts.scene.asked());
        assert_eq!(calls, before + 1, "{} bytes", value.len());
    }
}

#[test]
fn servers_that_refuse_every_token_cost_a_request_a_minute_and_not_one_a_host() {
    let hosts = Hosts::new();
    for minute in 0..20 {
        for host in 0..10 {
            hosts.token(host);
            let ask = hosts.scene.ask(9);
            hosts
                .on(host, |broker| {
                    broker.erase(EraseTarget::Refused(None), &ask)
                })
                .unwrap();
            hosts.token(host);
            hosts.advance(6);
        }
        let asked = hosts.scene.asked();
        assert!(
            asked <= minute + 3,
            "{asked} requests in {} min",
            minute + 1
        );
    }
}

#[test]
fn a_caller_in_a_hurry_spoils_nothing_for_other_hosts() {
    let hosts = Hosts::new();
    hosts.scene.endpoint.takes.set(Duration::from_secs(2));
    hosts.call(1, &hosts.scene.ask(1)).unwrap_err();
    assert!(hosts.memory.found(":lease").is_none(), "released");
    assert_eq!(hosts.token(2), "t-2");
    assert_eq!(hosts.token(1), "t-2");
}

#[test]
fn whoever_stops_waiting_for_another_host_has_a_second_left_to_ask() {
    for _ in 0..50 {
        let hosts = Hosts::new();
        hosts.token(1);
        hosts.advance(3600);
        hosts.put(":lease", b"another host's", 3600);
        hosts.scene.endpoint.takes.set(Duration::from_millis(900));
        let token = hosts.call(2, &hosts.scene.ask(4));
        assert_eq!(token.unwrap(), "t-2", "a pause must keep that second");
    }
}
