//! A lock holder that makes no progress: it is stopped, or it waits for a server that never
//! answers, or another program keeps the lock. Processes that wait for it report this after two
//! seconds and end at their own deadline. The signals that end a process still end it.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use cloudconnexa_sandbox::{Fault, Sandbox};
use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use super::process_group::Call;
use super::processes::{signal, stop, until, waits_for_lock};
use super::{Claim, answer, tries};
use crate::harness::{Running, World};

/// The `--timeout` of the waiting processes.
const LIMIT: Duration = Duration::from_secs(3);

/// Additional time that a loaded machine may need to start a process and to see its end.
const MARGIN: Duration = Duration::from_secs(15);

/// Starts a process with that time limit. Also returns the start time.
fn start<'a>(world: &'a World, call: &Call) -> (Instant, Running<'a>) {
    let mut words: Vec<&str> = call.arguments.iter().map(String::as_str).collect();
    let limit = words.iter().position(|word| *word == "10m").unwrap();
    words[limit] = "3s";
    let run = world.run_all(&words).stdin(call.stdin.as_str());
    (Instant::now(), run.start())
}

/// Checks that each waiting process exits with code 7 at its deadline and has reported the wait
/// once. Protocol adaptors do not report it, because they may print nothing besides their answer.
fn all_end_at_their_deadline(world: &World, calls: &[Call]) {
    let running: Vec<_> = calls.iter().map(|call| start(world, call)).collect();
    for ((began, run), call) in running.into_iter().zip(calls) {
        let outcome = run.outcome();
        let took = began.elapsed();
        assert!(took >= LIMIT, "{:?} gave up early", outcome.arguments);
        assert!(took < LIMIT + MARGIN, "{:?}: {took:?}", outcome.arguments);
        let told = outcome.stderr.matches("waiting for another").count();
        let is_adaptor = ["get", "git", "kubectl"].contains(&&*call.arguments[0]);
        assert_eq!(told, usize::from(!is_adaptor), "{}", outcome.stderr);
        let stderr = outcome.fails(7);
        assert!(stderr.contains("within 3s"), "{stderr}");
    }
}

/// The calls of all subcommands that request a token.
fn calls(world: &World) -> Vec<Call> {
    let all = Call::all_verbs(world, "env").into_iter();
    all.filter(|call| call.wants_token).collect()
}

/// Opens the lock file of the only entry, as another program would.
fn sidecar(world: &World) -> File {
    OpenOptions::new()
        .read(true)
        .open(world.lock_file())
        .unwrap()
}

#[test]
fn who_waits_for_a_stopped_process_ends_at_its_deadline_and_all_heals_when_it_goes_on() {
    let claim = Claim::that(
        "The requesting process is stopped while it holds the lock: callers of 6 subcommands \
         report after 2 s that they wait and end with exit code 7 at their deadline; when the \
         process continues, it and all callers get a token",
    );
    for _ in 0..tries(1, 10) {
        let world = World::new();
        let gate = world.sandbox.gate();
        let leader = world.run(["token", "--timeout", "10m"]).start();
        gate.wait_for_requests(1);
        assert!(stop(leader.id()));
        gate.release();
        let calls = calls(&world);

        claim.counts(calls.len(), || all_end_at_their_deadline(&world, &calls));
        let patient = world.run(["token", "--timeout", "10m"]).start();
        until("another waits", || waits_for_lock(patient.id()));
        signal(leader.id(), Signal::CONT);

        let token = leader.outcome().succeeds();
        let (waited, _) = patient.outcome().succeeds_with_stderr();
        assert_eq!(waited, token);
        assert_eq!(world.run(["token"]).succeeds(), token);
        assert_eq!(world.sandbox.token_requests(), 1);
    }
}

#[test]
fn a_process_that_goes_on_behind_its_own_deadline_ends_and_binds_nobody_for_long() {
    let claim = Claim::that(
        "The requesting process is stopped for longer than its own deadline: it ends with a \
         token or with exit code 6, and the next caller gets a token at once or 5 s later",
    );
    for _ in 0..tries(1, 10) {
        // A request with less than 4 s sets no cool-down, because it proves nothing about the
        // server.
        let worlds = ["3s", "5s"].map(|limit| (World::new(), limit));
        let leaders = worlds.each_ref().map(|(world, limit)| {
            let gate = world.sandbox.gate();
            let leader = world.run(["token", "--timeout", limit]).start();
            gate.wait_for_requests(1);
            assert!(stop(leader.id()));
            gate.release();
            leader
        });
        // When this process ends, the deadlines of the stopped processes have passed too.
        let (last, _) = &worlds[1];
        last.run(["token", "--timeout", "6s"]).outcome().fails(7);
        for (leader, (world, limit)) in leaders.into_iter().zip(&worlds) {
            signal(leader.id(), Signal::CONT);
            claim.holds(|| {
                let outcome = leader.outcome();
                assert!([Some(0), Some(6)].contains(&outcome.code), "{outcome:?}");
                if *limit == "5s" {
                    world.advance(Duration::from_secs(5));
                }
                world.token();
            });
        }
    }
}

#[test]
fn who_waits_for_a_server_that_never_answers_ends_at_its_deadline() {
    let claim = Claim::that(
        "The server never responds: the requesting process ends with exit code 6 at its \
         deadline, waiting callers of 6 subcommands end with exit code 7 at theirs, and a \
         caller with more time sends its own request",
    );
    for _ in 0..tries(1, 10) {
        let world = World::new();
        world.sandbox.always(Some(Fault::Hang));
        let leader = world.run(["token", "--timeout", "6s"]).start();
        world.sandbox.wait_for_token_requests(1);
        let patient = world.run(["token", "--timeout", "10m"]).start();
        until("another waits", || waits_for_lock(patient.id()));
        let calls = calls(&world);

        claim.counts(calls.len() + 2, || {
            all_end_at_their_deadline(&world, &calls);
            let stderr = leader.outcome().fails(6);
            assert!(stderr.contains("did not answer in time"), "{stderr}");
            world.sandbox.wait_for_token_requests(2);
            patient.kill();
        });

        assert_eq!(
            world.sandbox.token_requests(),
            2,
            "callers with less time send none"
        );
    }
}

#[test]
fn a_lock_that_is_held_for_good_ends_every_wait_at_its_deadline() {
    let claim = Claim::that(
        "Another program holds the lock permanently: a valid token is still returned, also in \
         the last fifth of its lifetime; without a token, callers of 6 subcommands and `erase` \
         end with exit code 7 at their deadline; no process sends a request; all works again \
         when the lock is released",
    );
    held_for_good(FlockOperation::LockExclusive, &claim);
}

#[test]
fn a_lock_that_is_shared_for_good_ends_every_wait_at_its_deadline() {
    let claim =
        Claim::that("The same if the other program shares the lock with the waiting processes");
    held_for_good(FlockOperation::LockShared, &claim);
}

fn held_for_good(kind: FlockOperation, claim: &Claim) {
    let world = World::new();
    let old = world.token();
    let lock = sidecar(&world);
    flock(&lock, kind).unwrap();
    let calls = calls(&world);

    for age in [0, 43_199 * 9 / 10] {
        world.advance(Duration::from_secs(age));
        claim.counts(calls.len(), || {
            for call in &calls {
                let answer = start(&world, call).1.outcome().succeeds();
                assert!(answer.contains(&old), "{answer}");
            }
        });
    }
    world.advance(Duration::from_secs(43_199));
    let request = format!("{{\"profile\":\"env\",\"token\":\"{old}\"}}");
    let erase = world.run(["erase", "--timeout", "3s"]).stdin(request);
    let mut erase = erase.start();
    claim.counts(calls.len() + 1, || {
        all_end_at_their_deadline(&world, &calls);
        erase.wait_for_stderr("waiting for another process");
        let stderr = erase.outcome().fails(7);
        assert!(stderr.contains("within 3s"), "{stderr}");
    });
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "no other process sends a request"
    );

    drop(lock);
    assert_ne!(world.token(), old);
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn a_signal_ends_the_one_that_asks_and_the_next_one_asks_for_all_who_wait() {
    let claim = Claim::that(
        "SIGINT, SIGTERM and SIGHUP end the requesting process with nothing on stdout; one of \
         the waiting processes sends a request for all of them",
    );
    for (number, kind) in [(2, Signal::INT), (15, Signal::TERM), (1, Signal::HUP)] {
        for _ in 0..tries(1, 50) {
            let world = World::new();
            let gate = world.sandbox.gate();
            let leader = world.run(["token"]).with_default_signals().start();
            gate.wait_for_requests(1);
            let waiters: Vec<_> = (0..4).map(|_| world.run(["token"]).start()).collect();
            for waiter in &waiters {
                until("a waiter waits", || waits_for_lock(waiter.id()));
            }

            claim.holds(|| {
                signal(leader.id(), kind);
                let (status, stdout) = leader.status();
                assert_eq!((status.signal(), stdout.as_str()), (Some(number), ""));
                gate.wait_for_requests(2);
                gate.release();
                let tokens = world.outcomes(waiters).into_iter().map(answer);
                let distinct: BTreeSet<String> = tokens.collect();
                assert_eq!(distinct.len(), 1);
            });
            assert_eq!(world.sandbox.token_requests(), 2);
        }
    }
}

#[test]
fn a_signal_ends_one_who_waits_and_nobody_else() {
    let claim = Claim::that(
        "SIGINT, SIGTERM and SIGHUP end a waiting process with nothing on stdout; the \
         requesting process and the other waiting processes get their token from one request",
    );
    for (number, kind) in [(2, Signal::INT), (15, Signal::TERM), (1, Signal::HUP)] {
        for _ in 0..tries(1, 50) {
            let world = World::with(Sandbox::builder().no_rate_limit());
            let gate = world.sandbox.gate();
            let leader = world.run(["token"]).start();
            gate.wait_for_requests(1);
            let mut waiters: Vec<_> = (0..4)
                .map(|_| world.run(["token"]).with_default_signals().start())
                .collect();
            for waiter in &waiters {
                until("a waiter waits", || waits_for_lock(waiter.id()));
            }

            claim.holds(|| {
                let one = waiters.remove(0);
                signal(one.id(), kind);
                let (status, stdout) = one.status();
                assert_eq!((status.signal(), stdout.as_str()), (Some(number), ""));
                gate.release();
                let token = leader.outcome().succeeds();
                for outcome in world.outcomes(waiters) {
                    assert_eq!(answer(outcome), token);
                }
            });
            assert_eq!(world.sandbox.token_requests(), 1);
        }
    }
}
