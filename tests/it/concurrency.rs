//! Many real processes at once that share one token, on every system. The large stress tests and
//! the tests of killed and hanging processes are in `fault_injection`.

use std::collections::BTreeSet;
use std::time::Duration;

use cloudconnexa_sandbox::{Fault, Sandbox};

use crate::harness::{Outcome, World};

fn tokens(outcomes: Vec<Outcome>) -> Vec<String> {
    outcomes
        .into_iter()
        .map(|outcome| outcome.succeeds().trim_end().to_owned())
        .collect()
}

#[test]
fn forty_processes_on_a_cold_cache_cost_one_request() {
    let world = World::new();

    let tokens = tokens(world.run(["token"]).in_parallel(40));

    let distinct: BTreeSet<&String> = tokens.iter().collect();
    assert_eq!(
        (tokens.len(), distinct.len()),
        (40, 1),
        "all processes get the same token"
    );
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "the lock holder sends the request; the others read the cache"
    );
}

#[test]
fn waiters_wait_for_one_request_and_not_for_a_queue_of_them() {
    let world = World::new();
    let gate = world.sandbox.gate();
    let running: Vec<_> = (0..20)
        .map(|_| world.run(["token", "-v"]).start())
        .collect();

    gate.wait_for_requests(1);
    gate.release();
    let outcomes = world.outcomes(running);

    let asked = outcomes
        .iter()
        .filter(|outcome| outcome.stderr.contains("asking"))
        .count();
    assert_eq!(asked, 1, "one process sends the request");
    assert_eq!(world.sandbox.token_requests(), 1);
    let distinct: BTreeSet<&String> = outcomes.iter().map(|outcome| &outcome.stdout).collect();
    assert_eq!(distinct.len(), 1);
}

#[test]
fn a_wait_of_two_seconds_is_told_once_with_what_is_waited_for() {
    let world = World::new();
    let gate = world.sandbox.gate();
    let leader = world.run(["token"]).start();
    gate.wait_for_requests(1);
    let mut waiter = world.run(["token"]).start();

    let told = waiter.wait_for_stderr("waiting for another process");
    gate.release();

    assert!(
        told.contains(".lock") && told.contains("--timeout"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    let (stdout, rest) = waiter.outcome().succeeds_with_stderr();
    assert_eq!(rest, "", "it is reported once");
    assert_eq!(stdout, leader.outcome().succeeds());
}

#[test]
fn a_rate_limit_is_waited_out_once_for_everybody() {
    let world = World::new();
    let limited = || Fault::Status {
        code: 429,
        headers: vec![("Retry-After".to_owned(), "1".to_owned())],
        body: Vec::new(),
    };
    world.sandbox.next(limited());

    let outcomes = world.run(["token"]).in_parallel(20);

    let told = outcomes
        .iter()
        .filter(|outcome| outcome.stderr.contains("rate limited"))
        .count();
    assert_eq!(told, 1, "the waiting process reports it");
    let mut distinct = BTreeSet::new();
    for outcome in outcomes {
        distinct.insert(outcome.succeeds_with_stderr().0);
    }
    assert_eq!(distinct.len(), 1);
    assert_eq!(
        world.sandbox.token_requests(),
        2,
        "the rejected request and the one after the wait"
    );
}

#[test]
fn in_the_last_fifth_one_caller_refreshes_and_nobody_waits() {
    let world = World::new();
    let old = world.token();
    world.advance(Duration::from_secs(43_199 * 9 / 10));
    let gate = world.sandbox.gate();
    let refresher = world.run(["token"]).start();
    gate.wait_for_requests(1);

    // The refresher holds the lock while the server delays its answer; these processes answer at
    // once.
    for token in tokens(world.run(["token"]).in_parallel(20)) {
        assert_eq!(token, old, "the cached token is returned");
    }

    gate.release();
    let new = refresher.outcome().succeeds().trim_end().to_owned();
    assert_ne!(new, old);
    assert_eq!(world.token(), new, "then all callers get the next token");
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn callers_that_refresh_during_a_request_share_the_next_one() {
    let world = World::new();
    let old = world.token();
    let gate = world.sandbox.gate();
    let first = world.run(["token", "--refresh"]).start();
    gate.wait_for_requests(1);
    let later: Vec<_> = (0..20)
        .map(|_| world.run(["token", "--refresh"]).start())
        .collect();
    later.iter().for_each(wait_until_at_the_lock);
    gate.release();

    let first = first.outcome().succeeds().trim_end().to_owned();
    let distinct: BTreeSet<String> = tokens(world.outcomes(later)).into_iter().collect();
    assert_eq!(distinct.len(), 1, "one process requests the token for all");
    assert!(
        !distinct.contains(&first) && !distinct.contains(&old),
        "a token counts only if its request was sent after the call began"
    );
    assert_eq!(
        world.sandbox.token_requests(),
        3,
        "the first call's, the first refresh's, and one for all others"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_locked_vault_asks_once_and_not_for_every_process() {
    let world = World::without_profile(Sandbox::builder());
    let text = world.profile_text("p");
    let script = "echo asked >> asked; test -e open || cat gate; exit 1";
    let source = format!("command = [\"sh\", \"-c\", \"{script}\"]");
    world.write_config(&text.replace("file = \"p.secret\"", &source));
    let gate = world.path("gate");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&gate)
            .status()
            .unwrap()
            .success()
    );
    let running: Vec<_> = (0..10).map(|_| world.run(["token"]).start()).collect();
    running.iter().for_each(wait_until_at_the_lock);

    open_gate(&world);

    for outcome in world.outcomes(running) {
        let stderr = outcome.fails(3);
        assert!(
            stderr.contains("no client secret for profile `p`"),
            "{stderr}"
        );
    }
    let asked = || {
        std::fs::read_to_string(world.path("asked"))
            .unwrap()
            .lines()
            .count()
    };
    assert_eq!(
        asked(),
        1,
        "the waiting processes report the failure of the first one"
    );
    world.run(["token"]).fails(3);
    assert_eq!(asked(), 2, "a later caller may just have unlocked it");
}

/// Releases the secret program that waits at the gate, and all later ones. The gate can be opened
/// only when the program waits there; opening the bypass first could block forever.
#[cfg(target_os = "linux")]
fn open_gate(world: &World) {
    std::fs::write(world.path("gate"), "").unwrap();
    std::fs::write(world.path("open"), "").unwrap();
}

/// Waits until a process has the lock or waits for it; it has then finished its startup.
pub(crate) fn wait_until_at_the_lock(running: &crate::harness::Running<'_>) {
    #[cfg(target_os = "linux")]
    {
        use crate::fault_injection::processes::{lock_holders, lock_waiters, until};

        let id = running.id();
        until("a process is at the lock", || {
            lock_waiters().contains(&id) || lock_holders().contains(&id)
        });
    }
    #[cfg(not(target_os = "linux"))]
    let _ = running;
}

#[test]
fn a_waiter_that_was_there_before_the_limit_is_told_of_it_and_not_of_the_lock() {
    let world = World::new();
    let headers = vec![("Retry-After".to_owned(), "60".to_owned())];
    world.sandbox.next(Fault::Status {
        code: 429,
        headers,
        body: Vec::new(),
    });
    let gate = world.sandbox.gate();
    let mut leader = world.run(["token", "--timeout", "5m"]).start();
    gate.wait_for_requests(1);
    let waiter = world.run(["token", "--timeout", "3s"]).start();
    wait_until_at_the_lock(&waiter);
    gate.release();
    leader.wait_for_stderr("is rate limited; asking again");

    let stderr = waiter.outcome().fails(5);

    assert!(stderr.contains("(429)"), "{stderr}");
    leader.kill();
}

/// A profile whose secret comes from a program that first records its start.
#[cfg(target_os = "linux")]
pub(crate) fn world_with_program(script: &str) -> World {
    let world = World::without_profile(Sandbox::builder());
    let text = world.profile_text("p");
    let source = format!("command = [\"sh\", \"-c\", \"echo run >> runs; {script}\"]");
    world.write_config(&text.replace("file = \"p.secret\"", &source));
    world
}

#[cfg(target_os = "linux")]
#[test]
fn a_caller_in_a_hurry_does_not_spoil_a_slow_program_for_those_who_have_time() {
    let world = world_with_program(
        "if test -e second; then cat config/p.secret; else touch second; exec sleep 60; fi",
    );
    std::os::unix::fs::symlink(world.config_folder(), world.path("config")).unwrap();
    let hurried = world.run(["token", "--timeout", "2s"]).start();
    while !world.path("second").exists() {
        std::thread::yield_now();
    }
    let patient = world.run(["token", "--timeout", "30s"]).start();
    wait_until_at_the_lock(&patient);

    hurried.outcome().fails(6);

    let (token, _) = patient.outcome().succeeds_with_stderr();
    assert!(!token.is_empty(), "it has sent its own request");
    let runs = std::fs::read_to_string(world.path("runs")).unwrap();
    assert_eq!(runs.lines().count(), 2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_that_says_no_at_once_is_told_to_those_who_wait_however_little_time_there_was() {
    let world = world_with_program("test -e open || cat gate; exit 1");
    let gate = world.path("gate");
    let made = std::process::Command::new("mkfifo").arg(&gate).status();
    assert!(made.unwrap().success());
    let first = world.run(["token", "--timeout", "3s"]).start();
    while !world.path("runs").exists() {
        std::thread::yield_now();
    }
    let second = world.run(["token", "--timeout", "30s"]).start();
    wait_until_at_the_lock(&second);

    open_gate(&world);

    first.outcome().fails(3);
    second.outcome().fails(3);
    let runs = std::fs::read_to_string(world.path("runs")).unwrap();
    assert_eq!(runs.lines().count(), 1, "no process runs it again");
}

#[test]
fn who_has_less_time_than_the_limit_lasts_is_told_so_without_a_wait() {
    let world = World::new();
    world.sandbox.next(Fault::Status {
        code: 429,
        headers: vec![("Retry-After".to_owned(), "60".to_owned())],
        body: Vec::new(),
    });
    let mut leader = world.run(["token", "--timeout", "5m"]).start();
    leader.wait_for_stderr("is rate limited; asking again");

    let stderr = world.run(["token", "--timeout", "20s"]).fails(5);

    assert!(!stderr.contains("waiting"), "{stderr}");
    leader.kill();
}
