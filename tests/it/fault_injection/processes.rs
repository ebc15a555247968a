//! What /proc tells of processes, and signals to them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a loaded build machine; nobody waits so long where all is well.
const PATIENCE: Duration = Duration::from_secs(300);

/// Sends a signal to a process that has not been waited for, so that its number is its own.
pub(crate) fn signal(id: u32, signal: Signal) {
    let pid = Pid::from_raw(id.cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Looks again and again until something is so, more and more seldom: to look at a thousand
/// processes takes a processor from them.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "{what}: not in {PATIENCE:?}");
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(250));
    }
}

/// The letter of `/proc/ID/stat`: `S` sleeps, `T` is stopped, `Z` has ended; `None`: it is gone.
pub(crate) fn state(id: u32) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it can hold anything, a bracket too.
    text.rsplit_once(") ")?.1.chars().next()
}

/// Whether it has ended, whether or not it was waited for.
pub(crate) fn has_ended(id: u32) -> bool {
    matches!(state(id), None | Some('Z' | 'X'))
}

/// Stops it and waits until it stands still; `false` where it had ended already.
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

/// Whether it waits in the system for a lock of a file.
pub(crate) fn waits_for_lock(id: u32) -> bool {
    lock_waiters().contains(&id)
}

/// Who waits for a lock of a file.
pub(crate) fn lock_waiters() -> BTreeSet<u32> {
    let waiting = locks().filter(|(_, is_held)| !is_held);
    waiting.map(|(pid, _)| pid).collect()
}

/// Whether anybody waits for a lock of this file.
pub(crate) fn is_waited_for(file: &Path) -> bool {
    let inode = fs::metadata(file).unwrap().ino();
    let text = fs::read_to_string("/proc/locks").unwrap();
    let its = format!(":{inode} ");
    text.lines()
        .any(|line| line.contains("->") && line.contains(&its))
}

/// Who has a lock of a file alone or together with others.
pub(crate) fn lock_holders() -> Vec<u32> {
    let held = locks().filter(|(_, is_held)| *is_held);
    held.map(|(pid, _)| pid).collect()
}

/// Everybody's locks of flock(2), and whether they are held or waited for. Every user can read
/// this, of processes too that let nobody look into them.
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

/// The ports of its TCP connections on this side; `None` where it lets nobody look into it.
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
