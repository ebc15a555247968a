//! File locks. The lock is always on a lock file beside the file, because a locked file cannot be
//! replaced on Windows.
//!
//! This program never removes a lock file, but other programs may. So a lock counts only if the
//! lock file is still at its path after it was locked. The system releases the lock when its
//! process ends, so no lock is ever stale.
//!
//! This is the only file that uses fs4.

#[cfg(unix)]
use std::fs::Metadata;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use thiserror::Error;

use crate::system::clock::{Clock, SystemClock};

/// The maximum number of times that a lock file is reopened because it was removed or replaced. A
/// file system with unstable inode numbers reaches this limit.
const MOST_OPENS: usize = 16;

/// The pause between two tries if no thread can wait for the lock.
const POLL_PAUSE: Duration = Duration::from_millis(20);

/// Permission to replace or remove the file of a lock file. Dropping it releases the lock.
#[derive(Debug)]
pub(crate) struct Guard {
    lock: Option<(File, PathBuf)>,
}

impl Guard {
    /// Returns a guard for a file system without locks. Writes are still atomic, but two processes
    /// may write.
    pub(crate) fn without_lock() -> Self {
        Self { lock: None }
    }

    /// Whether no other process can hold a guard of the same lock file now. `false` if the file
    /// system has no locks, or if the lock file was removed or replaced since it was locked.
    pub(crate) fn is_exclusive(&self) -> bool {
        matches!(&self.lock, Some((file, path)) if is_at(file, path))
    }

    /// Whether the lock was lost: the lock file was removed or replaced since it was locked.
    pub(crate) fn is_lost(&self) -> bool {
        self.lock.is_some() && !self.is_exclusive()
    }
}

/// The result of an attempt to take the lock.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// This process has the lock.
    Held(Guard),
    /// Another process has the lock.
    Busy,
    /// This file system has no locks; waiting cannot help.
    Unsupported(io::Error),
}

/// The kind of lock to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Shared with all other waiting readers: to read the result of the holder.
    Shared,
    /// Exclusive.
    Exclusive,
}

/// The limit of a wait, and when to report it.
pub(crate) struct WaitPolicy<'a> {
    pub(crate) clock: &'a dyn Clock,
    /// The part of `limit` that passes before `on_wait` is called.
    pub(crate) quiet: Duration,
    /// Called when the wait lasts longer than `quiet`.
    pub(crate) on_wait: &'a dyn Fn(),
    /// The longest wait.
    pub(crate) limit: Duration,
}

/// The reasons why a wait ended without the lock.
#[derive(Debug, Error)]
pub(crate) enum WaitError {
    /// The limit passed.
    #[error("the lock was not released in time")]
    TimedOut,
    /// The file system refuses to lock.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Takes the lock if it is free.
///
/// # Errors
/// If the lock file cannot be opened.
pub(crate) fn try_exclusive(path: &Path) -> io::Result<Attempt> {
    for _ in 0..MOST_OPENS {
        let file = open(path)?;
        match fs4::FileExt::try_lock(&file) {
            Ok(()) if is_at(&file, path) => return Ok(Attempt::Held(held(file, path))),
            // The lock file was removed after it was opened and before it was locked.
            Ok(()) => {}
            Err(fs4::TryLockError::WouldBlock) => return Ok(Attempt::Busy),
            Err(fs4::TryLockError::Error(error)) => return Ok(Attempt::Unsupported(error)),
        }
    }
    Ok(Attempt::Unsupported(unstable()))
}

/// Takes the lock. Waits at most `limit`, without a report. If the file system has no locks,
/// returns a guard without a lock.
///
/// # Errors
/// [`WaitError::TimedOut`], or if the lock file cannot be opened.
pub(crate) fn exclusive(path: &Path, limit: Duration) -> Result<Guard, WaitError> {
    match try_exclusive(path)? {
        Attempt::Held(guard) => Ok(guard),
        Attempt::Unsupported(_) => Ok(Guard::without_lock()),
        Attempt::Busy => {
            let policy = WaitPolicy {
                clock: &SystemClock::start(),
                quiet: limit,
                on_wait: &|| {},
                limit,
            };
            wait(path, Kind::Exclusive, &policy)
        }
    }
}

/// Waits for the lock. If the lock file was removed or replaced meanwhile, waits for the new one.
///
/// # Errors
/// [`WaitError::TimedOut`], or the error of the file system; [`io::ErrorKind::NotFound`] if the
/// directory was removed meanwhile.
pub(crate) fn wait(path: &Path, kind: Kind, policy: &WaitPolicy<'_>) -> Result<Guard, WaitError> {
    let start = policy.clock.elapsed();
    for _ in 0..MOST_OPENS {
        let file = wait_for(open(path)?, kind, start, policy)?;
        if is_at(&file, path) {
            return Ok(held(file, path));
        }
    }
    Err(unstable().into())
}

/// Waits for the lock of an open file; `start` is when the wait began.
///
/// The blocking system call has no deadline, so it is made in a thread. At the deadline the thread
/// is abandoned; it can only take the lock and release it at once. If no thread can be started, the
/// lock is polled.
fn wait_for(
    file: File,
    kind: Kind,
    start: Duration,
    policy: &WaitPolicy<'_>,
) -> Result<File, WaitError> {
    let file = Arc::new(file);
    let (sender, receiver) = mpsc::channel();
    let started = thread::Builder::new().name("lock".to_owned()).spawn({
        let file = Arc::clone(&file);
        move || drop(sender.send(lock(&file, kind)))
    });
    let until = |end: Duration| {
        let left = || end.saturating_sub(policy.clock.elapsed().saturating_sub(start));
        match &started {
            Ok(_) => receiver.recv_timeout(left()).ok(),
            Err(_) => poll(&file, kind, policy.clock, &left),
        }
    };
    let quiet = policy.quiet.min(policy.limit);
    let mut outcome = until(quiet);
    if outcome.is_none() && policy.limit > quiet {
        (policy.on_wait)();
        outcome = until(policy.limit);
    }
    outcome.ok_or(WaitError::TimedOut)??;
    if let Ok(thread) = started {
        // The thread has sent its result and holds only its reference to the file.
        drop(thread.join());
    }
    Arc::try_unwrap(file).map_err(|_| WaitError::TimedOut)
}

/// Tries to take the lock until it is free or the time limit passes.
fn poll(
    file: &File,
    kind: Kind,
    clock: &dyn Clock,
    left: &dyn Fn() -> Duration,
) -> Option<io::Result<()>> {
    loop {
        let locked = match kind {
            Kind::Shared => fs4::FileExt::try_lock_shared(file),
            Kind::Exclusive => fs4::FileExt::try_lock(file),
        };
        match locked {
            Ok(()) => return Some(Ok(())),
            Err(fs4::TryLockError::Error(error)) => return Some(Err(error)),
            Err(fs4::TryLockError::WouldBlock) if left().is_zero() => return None,
            Err(fs4::TryLockError::WouldBlock) => clock.sleep(POLL_PAUSE.min(left())),
        }
    }
}

/// Returns a guard of this locked file. Sets its times to now, so that programs that remove old
/// files keep it.
fn held(file: File, path: &Path) -> Guard {
    #[cfg(unix)]
    {
        use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        };
        let times = Timestamps {
            last_access: now,
            last_modification: now,
        };
        // A lock file with old times is also valid.
        futimens(&file, &times).ok();
    }
    Guard {
        lock: Some((file, path.to_owned())),
    }
}

/// Whether the open file is the one at the path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |metadata: io::Result<Metadata>| metadata.ok().map(|it| (it.dev(), it.ino()));
    let opened = identity(file.metadata());
    opened.is_some() && opened == identity(path.symlink_metadata())
}

/// Whether the open file is the one at the path. Windows keeps the name of a removed file until its
/// last handle is closed, so no other file can be there.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

fn unstable() -> io::Error {
    io::Error::other("its lock is removed or replaced again and again")
}

fn lock(file: &File, kind: Kind) -> io::Result<()> {
    loop {
        let locked = match kind {
            Kind::Shared => fs4::FileExt::lock_shared(file),
            Kind::Exclusive => fs4::FileExt::lock(file),
        };
        match locked {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Opens the lock file, and creates it if it is missing. Only a regular file is accepted, because
/// other programs may hold locks of a pipe or a device.
fn open(path: &Path) -> io::Result<File> {
    let file = open_any(path).map_err(|error| match error.kind() {
        #[cfg(unix)]
        _ if rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::LOOP) => {
            unlockable(path, "a symbolic link")
        }
        io::ErrorKind::IsADirectory => unlockable(path, "a folder"),
        _ => error,
    })?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(unlockable(path, "not a regular file"))
    }
}

fn unlockable(path: &Path, is: &str) -> io::Error {
    let problem = format!("its lock `{}` is {is}", crate::types::quote::path(path));
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

/// Opens a file without following a link, and without waiting for the other end of a pipe.
fn open_any(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::{self, File};
    use std::path::Path;
    use std::time::Duration;

    use super::{Attempt, Guard, Kind, WaitError, WaitPolicy, poll, try_exclusive, wait};
    use crate::system::clock::SystemClock;

    fn policy<'a>(
        clock: &'a SystemClock,
        limit: Duration,
        on_wait: &'a dyn Fn(),
    ) -> WaitPolicy<'a> {
        WaitPolicy {
            clock,
            quiet: limit / 2,
            on_wait,
            limit,
        }
    }

    fn lock(path: &Path) -> Guard {
        match try_exclusive(path).unwrap() {
            Attempt::Held(guard) => guard,
            other => panic!("no other process holds the lock: {other:?}"),
        }
    }

    #[test]
    fn wait_is_reported_once_and_ends_at_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry.lock");
        let _held = lock(&path);
        let reported = Cell::new(0);
        let on_wait = || reported.set(reported.get() + 1);
        let clock = SystemClock::start();

        let policy = policy(&clock, Duration::from_millis(2), &on_wait);
        let waited = wait(&path, Kind::Shared, &policy);

        assert!(matches!(waited, Err(WaitError::TimedOut)));
        assert_eq!(reported.get(), 1);
    }

    #[test]
    fn shared_locks_are_held_together_and_exclude_a_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry.lock");
        let clock = SystemClock::start();
        let policy = policy(&clock, Duration::from_secs(60), &|| {});

        let first = wait(&path, Kind::Shared, &policy).unwrap();
        let second = wait(&path, Kind::Shared, &policy).unwrap();
        assert!(matches!(try_exclusive(&path).unwrap(), Attempt::Busy));
        drop((first, second));
        lock(&path);
    }

    #[test]
    fn poll_takes_a_free_lock_and_gives_up_on_a_held_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry.lock");
        let clock = SystemClock::start();
        let file = File::create(&path).unwrap();
        let left = || Duration::ZERO;
        for kind in [Kind::Shared, Kind::Exclusive] {
            let guard = lock(&path);
            assert!(poll(&file, kind, &clock, &left).is_none());
            drop(guard);
            poll(&file, kind, &clock, &left).unwrap().unwrap();
            fs4::FileExt::unlock(&file).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn removed_lock_file_is_no_longer_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entry.lock");
        let old = lock(&path);
        assert!(old.is_exclusive() && !old.is_lost());

        fs::remove_file(&path).unwrap();

        assert!(old.is_lost());
        assert!(lock(&path).is_exclusive(), "the new lock file is the lock");
    }
}
