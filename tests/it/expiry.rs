//! The result if time passes, or the clock changes, between the decision and the answer.

use std::fs;
use std::time::Duration;

use cloudconnexa_sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

use crate::concurrency::{wait_until_at_the_lock, world_with_program};
use crate::fault_injection::clocks::{faked, faketime, leap, set_clock};
use crate::harness::{World, write_private};

/// The lifetime of the sandbox's tokens, in seconds.
const LIFE: u64 = 43_199;

fn http_world() -> World {
    World::with(Sandbox::builder().http().no_rate_limit())
}

/// Advances the time until the cached token has this many seconds left.
fn leave_seconds(world: &World, left: u64) {
    world.advance(Duration::from_secs(LIFE - left));
}

/// Marks the cached token as refused by a server, a long time ago.
fn reject_cached_token(world: &World) {
    let (path, mut entry) = world.entry();
    entry["token"]["refused"] = json!(true);
    write_private(&path, &entry.to_string());
}

/// A response that is not a token and is not retried.
fn unusable() -> Fault {
    Fault::Body("no token".to_owned())
}

#[test]
fn token_that_expires_during_refresh_is_not_served() {
    let Some(library) = faketime() else { return };
    let world = http_world();
    set_clock(&world, "+0");
    faked(&world, &library, "token").succeeds();
    set_clock(&world, "+43130");
    world.sandbox.next(unusable());
    let gate = world.sandbox.gate();
    let run = faked(&world, &library, "token").start();
    gate.wait_for_requests(1);
    set_clock(&world, "+43150");

    gate.release();

    run.outcome().fails(6);
}

#[test]
fn rejected_token_that_expires_during_renewal_is_not_served() {
    let Some(library) = faketime() else { return };
    let world = http_world();
    set_clock(&world, "+0");
    faked(&world, &library, "token").succeeds();
    reject_cached_token(&world);
    world.sandbox.always(Some(unusable()));
    let gate = world.sandbox.gate();
    let run = faked(&world, &library, "token").start();
    gate.wait_for_requests(1);
    set_clock(&world, "+43150");

    gate.release();

    run.outcome().fails(6);
}

#[test]
fn token_lives_no_longer_after_the_clock_was_set_back() {
    let world = http_world();
    world.token();
    leap(&world, -50_000);

    let answer = world.run(["token", "--json"]).succeeds();

    let answer: Value = serde_json::from_str(&answer).unwrap();
    let left = answer["expires_in"].as_u64().unwrap();
    assert!(left <= LIFE, "{left} s are left of {LIFE} s");
    let status: Value = serde_json::from_str(&world.run(["status", "--json"]).succeeds()).unwrap();
    let left = status["profiles"][0]["expires_in"].as_u64().unwrap();
    assert!(left <= LIFE, "status: {left} s are left of {LIFE} s");
}

#[test]
fn waiter_gets_rejected_token_if_the_server_hangs() {
    let world = http_world();
    let token = world.token();
    reject_cached_token(&world);
    let gate = world.sandbox.gate();
    let holder = world.run(["token"]).start();
    gate.wait_for_requests(1);

    let waiter = world.run(["token", "--timeout", "2s"]).outcome();

    assert_eq!(waiter.succeeds().trim_end(), token);
    holder.kill();
}

#[test]
fn locked_vault_does_not_withhold_a_rejected_token() {
    let world = world_with_program("test -e locked && exit 1; cat config/p.secret");
    std::os::unix::fs::symlink(world.config_folder(), world.path("config")).unwrap();
    let token = world.token();
    reject_cached_token(&world);
    fs::write(world.path("locked"), "").unwrap();

    let (answer, _) = world.run(["token"]).outcome().succeeds_with_stderr();

    assert_eq!(
        answer.trim_end(),
        token,
        "no server refused the credentials"
    );
}

#[test]
fn refresh_does_not_replace_a_token_that_is_usable_longer() {
    let world = http_world();
    let token = world.token();
    leave_seconds(&world, 7200);
    world.sandbox.next(Fault::ExpiresIn(Some(json!(90))));

    assert_eq!(
        world.token(),
        token,
        "the caller gets the token with the longer lifetime"
    );
    assert_eq!(world.token(), token, "and so does the next caller");
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn token_of_a_secret_program_is_not_refreshed_ahead() {
    let world = world_with_program("cat config/p.secret");
    std::os::unix::fs::symlink(world.config_folder(), world.path("config")).unwrap();
    let token = world.token();
    leave_seconds(&world, 600);

    assert_eq!(world.token(), token);

    let runs = fs::read_to_string(world.path("runs")).unwrap();
    assert_eq!(
        runs.lines().count(),
        1,
        "the program may ask the user something"
    );
    leave_expired(&world);
    assert_ne!(world.token(), token);
}

/// Advances the time until the token has expired.
fn leave_expired(world: &World) {
    world.advance(Duration::from_secs(LIFE));
}

#[test]
fn refresh_ignores_a_token_requested_before_the_call() {
    let world = http_world();
    let gate = world.sandbox.gate();
    let first = world.run(["token"]).start();
    gate.wait_for_requests(1);
    let refresher = world.run(["token", "--refresh"]).start();
    wait_until_at_the_lock(&refresher);

    gate.release();

    let first = first.outcome().succeeds();
    assert_ne!(refresher.outcome().succeeds(), first);
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn waiter_without_time_for_a_request_exits_7() {
    let Some(library) = faketime() else { return };
    let world = http_world();
    set_clock(&world, "+0");
    let gate = world.sandbox.gate();
    let holder = world.run(["token"]).start();
    gate.wait_for_requests(1);
    let waiter = faked(&world, &library, "token --timeout 30s");
    let waiter = waiter.unset("FAKETIME_DONT_FAKE_MONOTONIC").start();
    wait_until_at_the_lock(&waiter);
    set_clock(&world, "+29.5");

    holder.kill();

    waiter.outcome().fails(7);
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "it cannot finish a request"
    );
    gate.release();
}

#[test]
fn rest_of_a_cached_life_is_a_passing_failure() {
    let world = http_world();
    let token = world.token();
    leave_seconds(&world, 300);
    world.sandbox.next(Fault::ExpiresIn(Some(json!(299))));

    let stderr = world.run(["token", "--min-ttl", "10m"]).fails(6);

    assert!(stderr.contains("is valid for only"), "{stderr}");
    world.run(["token", "--min-ttl", "10m"]).fails(6);
    assert_eq!(world.sandbox.token_requests(), 2, "the failure is shared");
    assert_eq!(world.token(), token, "other callers get a token");
    world.advance(Duration::from_secs(6));
    world.run(["token", "--min-ttl", "10m"]).succeeds();
}
