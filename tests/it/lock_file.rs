//! The lock file and the entry on disk, if other programs change the cache directory meanwhile.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::fault_injection::processes::{has_ended, is_waited_for, lock_waiters, until};
use crate::harness::{Running, World, lock_file_of, write_private};

/// The lock file that a process has created for its first request.
fn first_lock_file(world: &World) -> std::path::PathBuf {
    let files = fs::read_dir(world.cache()).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let is_lock = |path: &std::path::PathBuf| path.extension().is_some_and(|it| it == "lock");
    paths.into_iter().find(is_lock).unwrap()
}

fn wait_at_the_lock(running: &[Running<'_>]) {
    until("all wait for the lock", || {
        let waiters = lock_waiters();
        running.iter().all(|run| waiters.contains(&run.id()))
    });
}

#[test]
fn waiter_of_a_removed_lock_file_waits_for_the_new_one() {
    let world = World::new();
    let gate = world.sandbox.gate();
    let first = world.run(["token"]).start();
    gate.wait_for_requests(1);
    let waiter = world.run(["token"]).start();
    wait_at_the_lock(std::slice::from_ref(&waiter));
    let lock_file = first_lock_file(&world);
    fs::remove_file(&lock_file).unwrap();
    let second = world.run(["token"]).start();
    gate.wait_for_requests(2);

    // The waiter gets the lock of the removed file, which excludes no process any more.
    first.kill();
    until("the waiter goes on", || {
        is_waited_for(&lock_file) || world.sandbox.token_requests() > 2
    });

    assert_eq!(
        world.sandbox.token_requests(),
        2,
        "the waiter sends no request"
    );
    gate.release();
    let token = second.outcome().succeeds();
    assert_eq!(waiter.outcome().succeeds_with_stderr().0, token);
}

#[test]
fn removed_cache_directory_costs_no_request_of_the_waiters() {
    let world = World::new();
    let gate = world.sandbox.gate();
    let leader = world.run(["token"]).start();
    gate.wait_for_requests(1);
    let waiters: Vec<_> = (0..20).map(|_| world.run(["token"]).start()).collect();
    wait_at_the_lock(&waiters);
    fs::remove_dir_all(world.cache()).unwrap();

    gate.release();

    let token = leader.outcome().succeeds();
    for outcome in world.outcomes(waiters) {
        assert_eq!(outcome.succeeds_with_stderr().0, token);
    }
    assert_eq!(world.sandbox.token_requests(), 1);
}

#[test]
fn use_of_the_lock_file_sets_its_time() {
    let world = World::new();
    world.token();
    let long_ago = SystemTime::now() - Duration::from_secs(90 * 24 * 3600);
    let file = File::options().write(true).open(world.lock_file()).unwrap();
    file.set_modified(long_ago).unwrap();

    world.run(["token", "--refresh"]).succeeds();

    let age = file.metadata().unwrap().modified().unwrap().elapsed();
    assert!(
        age.unwrap_or_default() < Duration::from_secs(24 * 3600),
        "a program that removes old files keeps it"
    );
}

#[test]
fn entry_of_another_format_version_is_left_alone() {
    let world = World::new();
    let token = world.token();
    let (path, entry) = world.entry();
    let other = lock_file_of(&path).with_extension("v2.json");
    write_private(&other, "of a later release");

    assert_eq!(world.token(), token);
    world.run(["token", "--refresh"]).succeeds();

    assert_eq!(fs::read_to_string(&other).unwrap(), "of a later release");
    let mut unknown = entry;
    unknown["cooldown"] = json!({
        "since_ms": 0, "until_ms": 4_000_000_000_000_u64, "reason": "moon_phase", "message": "m"
    });
    write_private(&path, &unknown.to_string());
    assert_eq!(world.token(), token, "an unknown reason drops no token");
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn failed_refresh_of_a_usable_token_syncs_nothing() {
    let world = World::new();
    let token = world.token();
    world.advance(Duration::from_secs(43_199 * 9 / 10));
    world.sandbox.next(cloudconnexa_sandbox::Fault::Status {
        code: 503,
        headers: Vec::new(),
        body: Vec::new(),
    });
    let script =
        "exec strace -f -qq -o calls -e trace=fsync,fdatasync,sync_file_range \"$0\" token";

    let printed = world.run(["-c", script]).through_shell().succeeds();

    assert_eq!(printed.trim_end(), token);
    assert_eq!(world.sandbox.token_requests(), 2);
    let calls = fs::read_to_string(world.path("calls")).unwrap();
    assert!(!calls.contains("sync"), "{calls}");
}

#[test]
fn waiter_without_a_thread_polls_the_lock() {
    let world = World::new();
    let gate = world.sandbox.gate();
    let leader = world.run(["token"]).start();
    gate.wait_for_requests(1);
    // The kernel refuses every new thread of these processes.
    let run = |number| {
        let script = format!(
            "exec strace -f -qq -o calls.{number} -e trace=flock,clone,clone3 \
             -e inject=clone,clone3:error=EAGAIN \"$0\" token"
        );
        world.run(["-c", &script]).through_shell().start()
    };
    let waiters: Vec<_> = (0..6).map(run).collect();
    for (number, waiter) in waiters.iter().enumerate() {
        let calls = world.path(&format!("calls.{number}"));
        until("it has tried the lock several times", || {
            let calls = fs::read_to_string(&calls).unwrap_or_default();
            calls.matches("EAGAIN").count() > 3 || has_ended(waiter.id())
        });
    }
    gate.release();

    let token = leader.outcome().succeeds();
    for outcome in world.outcomes(waiters) {
        assert_eq!(outcome.succeeds_with_stderr().0, token);
    }
    assert_eq!(world.sandbox.token_requests(), 1);
}

#[test]
fn full_pipe_as_stderr_does_not_block_the_lock() {
    let world = World::new();
    let fifo = world.path("stderr");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    // Both ends stay open, and no process reads.
    let pipe = File::options().read(true).write(true).open(&fifo).unwrap();
    let mut fill = std::process::Command::new("dd");
    fill.args(["if=/dev/zero", "oflag=nonblock", "bs=4096"])
        .arg(format!("of={}", fifo.display()));
    assert!(!fill.output().unwrap().status.success(), "the pipe is full");
    world.sandbox.next(cloudconnexa_sandbox::Fault::Status {
        code: 429,
        headers: vec![("Retry-After".to_owned(), "1".to_owned())],
        body: Vec::new(),
    });
    let gate = world.sandbox.gate();
    let script = "exec \"$0\" token 2> stderr";
    let holder = world.run(["-c", script]).through_shell().start();
    gate.wait_for_requests(1);
    let waiter = world.run(["token"]).start();
    wait_at_the_lock(std::slice::from_ref(&waiter));

    // The holder reports the rate limit with the lock held.
    gate.release();

    let (token, _) = waiter.outcome().succeeds_with_stderr();
    assert_eq!(holder.outcome().succeeds(), token);
    assert_eq!(world.sandbox.token_requests(), 2);
    drop(pipe);
}
