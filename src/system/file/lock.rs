//! The lock of a file: always on a sidecar that is never removed, never on the file itself
//! (locking the data breaks its replacement on Windows; removing the sidecar splits the lock).
//!
//! This is the only file that names fs4. The system drops a lock when its holder dies, however
//! it dies, so there are no stale locks and nothing to clean up.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use thiserror::Error;

/// Leave to replace the file whose sidecar this is. Dropping it lets the next one in.
#[derive(Debug)]
pub(crate) struct Guard {
    file: Option<File>,
}

impl Guard {
    /// A guard for a file system that has no locks: writing stays atomic, but two may write.
    pub(crate) fn without_lock() -> Self {
        Self { file: None }
    }

    /// Whether nobody else can hold such a guard now.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.file.is_some()
    }
}

/// What became of a try.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The lock is ours.
    Held(Guard),
    /// Somebody else has it.
    Busy,
    /// This file system has no locks; waiting cannot help.
    Unsupported(io::Error),
}

/// How a lock is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Together with all others that wait so: for reading what the holder leaves behind.
    Shared,
    /// Alone.
    Exclusive,
}

/// How long to wait, and when to speak of it.
pub(crate) struct WaitPolicy<'a> {
    /// Silence up to here.
    pub(crate) quiet: Duration,
    /// Called once when the wait outlasts `quiet`.
    pub(crate) speak: &'a dyn Fn(),
    /// The end of the wait.
    pub(crate) limit: Duration,
}

/// Why a wait ended without the lock.
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
/// Where the sidecar cannot be opened.
pub(crate) fn try_exclusive(sidecar: &Path) -> io::Result<Attempt> {
    let file = open(sidecar)?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(Attempt::Held(Guard { file: Some(file) })),
        Err(fs4::TryLockError::WouldBlock) => Ok(Attempt::Busy),
        Err(fs4::TryLockError::Error(error)) => Ok(Attempt::Unsupported(error)),
    }
}

/// Takes the lock, waiting for it in silence for at most `limit`; where the file system has no
/// locks, there is nothing to wait for and the guard says so.
///
/// # Errors
/// [`WaitError::TimedOut`], or where the sidecar cannot be opened.
pub(crate) fn exclusive(sidecar: &Path, limit: Duration) -> Result<Guard, WaitError> {
    match try_exclusive(sidecar)? {
        Attempt::Held(guard) => Ok(guard),
        Attempt::Unsupported(_) => Ok(Guard::without_lock()),
        Attempt::Busy => {
            let patience = WaitPolicy {
                quiet: limit,
                speak: &|| {},
                limit,
            };
            wait(sidecar, Kind::Exclusive, &patience)
        }
    }
}

/// Waits for the lock.
///
/// The system call that waits knows no deadline, so a thread makes it. Where the deadline comes
/// first, the thread is left behind; it can only ever take the lock and drop it at once.
///
/// # Errors
/// [`WaitError::TimedOut`], or what the file system says.
pub(crate) fn wait(
    sidecar: &Path,
    kind: Kind,
    patience: &WaitPolicy<'_>,
) -> Result<Guard, WaitError> {
    let file = open(sidecar)?;
    let (sender, receiver) = mpsc::channel();
    let started = thread::Builder::new()
        .name("lock".to_owned())
        .spawn(move || {
            let locked = lock(&file, kind).map(|()| file);
            drop(sender.send(locked));
        });
    if started.is_err() {
        return poll(sidecar, kind, patience);
    }
    let quiet = patience.quiet.min(patience.limit);
    let mut outcome = receiver.recv_timeout(quiet);
    if matches!(outcome, Err(RecvTimeoutError::Timeout)) && patience.limit > quiet {
        (patience.speak)();
        outcome = receiver.recv_timeout(patience.limit.saturating_sub(quiet));
    }
    match outcome {
        Ok(locked) => Ok(Guard {
            file: Some(locked?),
        }),
        Err(_) => Err(WaitError::TimedOut),
    }
}

/// Waits without a thread, for a process that may start none.
#[expect(
    clippy::disallowed_methods,
    reason = "the wait is for another process, whose time no clock of a test can move"
)]
fn poll(sidecar: &Path, kind: Kind, patience: &WaitPolicy<'_>) -> Result<Guard, WaitError> {
    const PAUSE: Duration = Duration::from_millis(20);
    let file = open(sidecar)?;
    let mut waited = Duration::ZERO;
    let mut is_reported = false;
    loop {
        let attempt = match kind {
            Kind::Shared => fs4::FileExt::try_lock_shared(&file),
            Kind::Exclusive => fs4::FileExt::try_lock(&file),
        };
        match attempt {
            Ok(()) => return Ok(Guard { file: Some(file) }),
            Err(fs4::TryLockError::Error(error)) => return Err(error.into()),
            Err(fs4::TryLockError::WouldBlock) => {}
        }
        if waited >= patience.quiet && !is_reported {
            (patience.speak)();
            is_reported = true;
        }
        if waited >= patience.limit {
            return Err(WaitError::TimedOut);
        }
        let pause = PAUSE.min(patience.limit.saturating_sub(waited));
        thread::sleep(pause);
        waited += pause;
    }
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

/// Opens the sidecar, which is made where it is not there. Only a regular file is locked: whatever else
/// somebody put there, others may hold the lock of it.
fn open(sidecar: &Path) -> io::Result<File> {
    let file = open_any(sidecar).map_err(|error| match error.kind() {
        #[cfg(unix)]
        _ if rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::LOOP) => {
            unlockable(sidecar, "a symbolic link")
        }
        io::ErrorKind::IsADirectory => unlockable(sidecar, "a folder"),
        _ => error,
    })?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(unlockable(sidecar, "not a regular file"))
    }
}

fn unlockable(sidecar: &Path, is: &str) -> io::Error {
    let problem = format!("its lock `{}` is {is}", crate::types::quote::path(sidecar));
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

/// Without waiting for the other end of a pipe, and without following a link.
fn open_any(sidecar: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    options.open(sidecar)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::{Attempt, Kind, WaitError, WaitPolicy, poll, try_exclusive, wait};

    #[test]
    fn a_wait_speaks_once_and_ends_at_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let sidecar = folder.path().join("entry.lock");
        let Attempt::Held(_held) = try_exclusive(&sidecar).unwrap() else {
            panic!("nobody else holds the lock");
        };
        let spoken = Cell::new(0);

        let waited = wait(
            &sidecar,
            Kind::Shared,
            &WaitPolicy {
                quiet: Duration::from_millis(1),
                speak: &|| spoken.set(spoken.get() + 1),
                limit: Duration::from_millis(2),
            },
        );

        assert!(matches!(waited, Err(WaitError::TimedOut)));
        assert_eq!(spoken.get(), 1, "one line is told, not one a second");
    }

    #[test]
    fn wait_without_a_thread_has_the_same_result() {
        let folder = tempfile::tempdir().unwrap();
        let sidecar = folder.path().join("entry.lock");
        let spoken = Cell::new(0);
        let patience = WaitPolicy {
            quiet: Duration::from_millis(1),
            speak: &|| spoken.set(spoken.get() + 1),
            limit: Duration::from_millis(2),
        };
        let held = poll(&sidecar, Kind::Exclusive, &patience).unwrap();
        for kind in [Kind::Shared, Kind::Exclusive] {
            let waited = poll(&sidecar, kind, &patience);
            assert!(matches!(waited, Err(WaitError::TimedOut)));
        }
        assert_eq!(spoken.get(), 2, "each wait is reported once");
        drop(held);
        poll(&sidecar, Kind::Shared, &patience).unwrap();
    }

    #[test]
    fn readers_hold_the_lock_together_and_keep_a_writer_out() {
        let folder = tempfile::tempdir().unwrap();
        let sidecar = folder.path().join("entry.lock");
        let patience = WaitPolicy {
            quiet: Duration::MAX,
            speak: &|| {},
            limit: Duration::from_secs(60),
        };

        let first = wait(&sidecar, Kind::Shared, &patience).unwrap();
        let second = wait(&sidecar, Kind::Shared, &patience).unwrap();
        assert!(matches!(try_exclusive(&sidecar).unwrap(), Attempt::Busy));
        drop((first, second));
        assert!(matches!(try_exclusive(&sidecar).unwrap(), Attempt::Held(_)));
    }
}
