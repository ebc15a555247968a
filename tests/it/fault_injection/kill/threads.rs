//! The same for the other threads of a process that asks: the one that waits for the lock and those
//! that connect. strace counts the calls of each thread on its
//! own and cannot be told which one is meant, so gdb does this: it stops the process in front of each
//! call of a thread that is not the first, and behind it.

use std::fs::{self, File};
use std::process::Command;
use std::time::Duration;

use cloudconnexa_sandbox::Sandbox;
use rustix::fs::{FlockOperation, flock};

use super::{Fixture, Moment};
use crate::clients::found_or_skipped;
use crate::fault_injection::files::{is_root, namespace};
use crate::fault_injection::processes::{has_ended, is_waited_for, until};
use crate::fault_injection::{Claim, tries};
use crate::harness::{PROGRAM, World, lock_file_of};

/// What gdb says by its exit code where it has killed.
const KILLED: i32 = 99;

/// Two addresses, so that each of them is tried by a thread of its own.
const HOSTS: &str = "::1 localhost\n127.0.0.1 localhost\n";

/// A fixture whose server has two addresses (`localhost`), and a copy of the program without what gdb would read
/// each time. `None` where there can be no mount namespace.
fn named(found: Option<Duration>) -> Option<Fixture> {
    found_or_skipped("a mount namespace", namespace())?;
    let world = World::with(Sandbox::builder().no_rate_limit());
    let url = world.sandbox.base_url().replace("127.0.0.1", "localhost");
    world.set("CLOUDCONNEXA_BASE_URL", &url);
    let program = world.path("program");
    let stripped = Command::new("strip")
        .args([PROGRAM, "-o"])
        .arg(program)
        .status();
    assert!(stripped.unwrap().success(), "strip");
    fs::write(world.path("hosts"), HOSTS).unwrap();
    Some(Fixture::of(world, found))
}

impl Fixture {
    /// Kills a run at this stop of its other threads, counted from 0. `None` where it ended before it
    /// came to that. A run that `waits` finds the lock taken, and asks when it has become free.
    fn kill_at_stop(&self, stop: usize, waits: bool) -> Option<(Moment, usize)> {
        self.set();
        let commands = format!(
            "set startup-with-shell off\nset auto-load off\nset width 0\ncatch syscall\n\
             condition 1 $_thread > 1\nignore 1 {stop}\nrun\nif $_isvoid($_exitcode)\nkill\n\
             quit {KILLED}\nend\nquit $_exitcode\n"
        );
        fs::write(self.world.path("commands"), commands).unwrap();
        let user = if is_root() {
            ""
        } else {
            "--user --map-root-user"
        };
        let script = format!(
            "exec unshare {user} --mount sh -ec 'mount --bind hosts /etc/hosts
             exec gdb -q -nx -batch -x commands --args ./program token'"
        );
        let asked_before = self.world.sandbox.token_requests();
        let sidecar = lock_file_of(&self.place());
        let lock = waits.then(|| File::open(&sidecar).unwrap());
        if let Some(lock) = &lock {
            flock(lock, FlockOperation::LockExclusive).unwrap();
        }
        let run = self.world.run(["-c", &script]).through_shell().start();
        if lock.is_some() {
            until("it waits, or was killed before that", || {
                is_waited_for(&sidecar) || has_ended(run.id())
            });
        }
        // Not by dropping it: a process that another test starts may hold it open a moment longer.
        if let Some(lock) = &lock {
            flock(lock, FlockOperation::Unlock).unwrap();
        }
        let (status, said) = run.status();
        let hit = said.split_once("hit Catchpoint 1 (");
        match (
            status.code(),
            hit.and_then(|(_, call)| call.split_once(')')),
        ) {
            (Some(KILLED), Some((call, _))) => {
                let call = call.to_owned();
                Some((Moment { call, nth: stop }, asked_before))
            }
            (Some(0), None) => None,
            _ => panic!("stop {stop}: {status}: {said}"),
        }
    }

    /// Kills one run after the other: at each stop, or at some of them, until one is not killed any more.
    /// Threads that run side by side come to their calls in another order each time, so that a number
    /// is not always the same call.
    fn kill_threads(&self, claim: &Claim, waits: bool, step: usize) {
        let mut calls = Vec::new();
        for stop in (0..).step_by(step) {
            let Some((moment, asked_before)) = self.kill_at_stop(stop, waits) else {
                break;
            };
            claim.holds(|| self.nothing_is_lost(&moment, asked_before));
            calls.push(moment.call);
        }
        assert!(
            calls.len() >= tries(2, 20),
            "the threads were seen: {calls:?}"
        );
    }
}

// Odd steps: in front of a call and behind one by turns.

#[test]
fn a_kill_at_any_call_of_a_thread_that_waits_or_connects_costs_at_most_one_request() {
    let claim = Claim::that(
        "SIGKILL in front of and behind the system calls of every other thread of a process that first \
         waits for the lock and then asks (waiting, connecting): the next caller gets \
         its token with one request at most, the entry is whole or absent, the lock is free",
    );
    let Some(scene) = named(None) else {
        return;
    };
    scene.kill_threads(&claim, true, tries(41, 1));
    scene.ends_clean();
}

#[test]
fn a_kill_at_any_call_of_a_thread_of_a_refresh_ahead_costs_no_later_caller_anything() {
    let claim = Claim::that(
        "The same where the next token is looked for while this one is good: one request at most, and \
         the token goes on",
    );
    let Some(mut scene) = named(Some(Duration::from_secs(43_199 * 9 / 10))) else {
        return;
    };
    scene.most_requests = 1;
    scene.kill_threads(&claim, false, tries(41, 3));
    scene.ends_clean();
}
