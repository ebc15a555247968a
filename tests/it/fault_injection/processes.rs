//! Information on processes from /proc, and signals to processes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A limit that is long enough for a loaded build machine. A successful test does not wait that
/// long.
const PATIENCE: Duration = Duration::from_secs(300);

/// Sends a signal to a process that has not been waited for, so its process ID cannot be reused.
pub(crate) fn signal(id: u32, signal: Signal) {
    let pid = Pid::from_raw(id.cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Polls until a condition is true, with increasing pauses: polling a thousand processes takes
/// processor time from them.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    while !is_so() {
        assert!(
            start.elapsed() < PATIENCE,
            "{what}: not within {PATIENCE:?}"
        );
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

/// The state letter of `/proc/ID/stat`: `S` sleeps, `T` is stopped, `Z` has ended. `None` if the
/// process is gone.
pub(crate) fn state(id: u32) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it can contain any character, including a parenthesis.
    text.rsplit_once(") ")?.1.chars().next()
}

/// Whether the process has ended, waited for or not.
pub(crate) fn has_ended(id: u32) -> bool {
    matches!(state(id), None | Some('Z' | 'X'))
}

/// Stops a process and waits until it is stopped. Returns `false` if it had already ended.
pub(crate) fn stop(id: u32) -> bool {
    if has_ended(id) {
        return false;
    }
    signal(id, Signal::STOP);
    until("a process is stopped", || {
        state(id) == Some('T') || has_ended(id)
    });
    state(id) == Some('T')
}

/// Whether the process waits for a file lock.
pub(crate) fn waits_for_lock(id: u32) -> bool {
    lock_waiters().contains(&id)
}

/// The processes that wait for a file lock.
pub(crate) fn lock_waiters() -> BTreeSet<u32> {
    let waiting = locks().filter(|(_, is_held)| !is_held);
    waiting.map(|(pid, _)| pid).collect()
}

/// Whether a process waits for a lock of this file.
pub(crate) fn is_waited_for(file: &Path) -> bool {
    let inode = fs::metadata(file).unwrap().ino();
    let text = fs::read_to_string("/proc/locks").unwrap();
    let its = format!(":{inode} ");
    text.lines()
        .any(|line| line.contains("->") && line.contains(&its))
}

/// The processes that hold a file lock, exclusive or shared.
pub(crate) fn lock_holders() -> Vec<u32> {
    let held = locks().filter(|(_, is_held)| *is_held);
    held.map(|(pid, _)| pid).collect()
}

/// The flock(2) locks of all processes, and whether each is held or waited for. Every user can read
/// this, also for processes that other users cannot inspect.
fn locks() -> impl Iterator<Item = (u32, bool)> {
    let text = fs::read_to_string("/proc/locks").unwrap();
    let lock = |line: &str| {
        let mut words = line.split_whitespace().skip(1).peekable();
        let is_held = words.next_if_eq(&"->").is_none();
        let pid = words.nth(3).filter(|_| line.contains("FLOCK"))?;
        Some((pid.parse().ok()?, is_held))
    };
    text.lines()
        .filter_map(lock)
        .collect::<Vec<_>>()
        .into_iter()
}

/// The local ports of the process's TCP connections. `None` if the process cannot be inspected.
pub(crate) fn ports(id: u32) -> Option<BTreeSet<u16>> {
    let files = fs::read_dir(format!("/proc/{id}/fd")).ok()?;
    let sockets: BTreeSet<String> = files
        .flatten()
        .filter_map(|file| {
            let target = fs::read_link(file.path()).ok()?;
            let target = target.to_str()?.strip_prefix("socket:[")?;
            Some(target.trim_end_matches(']').to_owned())
        })
        .collect();
    let table = fs::read_to_string(format!("/proc/{id}/net/tcp")).unwrap_or_default();
    let port_of = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (local, inode) = (words.get(1)?, words.get(9)?);
        let port = u16::from_str_radix(local.split_once(':')?.1, 16).ok()?;
        sockets.contains(*inode).then_some(port)
    };
    Some(table.lines().filter_map(port_of).collect())
}
