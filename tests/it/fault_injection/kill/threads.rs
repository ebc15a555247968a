//! Kills at the system calls of the other threads of a process that requests a token: the one that
//! waits for the lock and those that connect. strace counts the calls of each thread separately and
//! cannot select a thread. gdb can: it stops the process before and after each call of a thread
//! that is not the first.

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

/// The exit code of gdb after it has killed the process.
const KILLED: i32 = 99;

/// Two addresses, so that a separate thread tries each of them.
const HOSTS: &str = "::1 localhost\n127.0.0.1 localhost\n";

/// A fixture whose server has two addresses (`localhost`), and a copy of the program without the
/// data that gdb would read each time. `None` if a mount namespace is not available.
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
    /// Kills a process at this stop of its other threads, counted from 0. `None` if it ended before
    /// that stop. With `waits` the process finds the lock held, and sends its request when the lock
    /// is free.
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
        // Dropping the file is not enough: a process that another test starts may keep it open for
        // a moment.
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

    /// Kills one process after the other, at each stop or at some of them, until a process ends
    /// without being killed. Parallel threads make their calls in a different order each time, so a
    /// number does not always mean the same call.
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

// The steps are odd, so that the stops alternate between before and after a call.

#[test]
fn a_kill_at_any_call_of_a_thread_that_waits_or_connects_costs_at_most_one_request() {
    let claim = Claim::that(
        "SIGKILL before and after the system calls of every other thread of a process that \
         first waits for the lock and then sends a request (waiting, connecting): the next \
         caller gets a token with at most one request, the entry is complete or absent, and the \
         lock is free",
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
        "The same while a valid token is refreshed: at most one request, and the valid token is \
         still returned",
    );
    let Some(mut scene) = named(Some(Duration::from_secs(43_199 * 9 / 10))) else {
        return;
    };
    scene.most_requests = 1;
    scene.kill_threads(&claim, false, tries(41, 3));
    scene.ends_clean();
}
