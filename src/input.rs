//! stdin: all of it, within a bound and within the time of the run.

use std::io;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::clock::{Clock, Deadline};

/// Why there is no input.
#[derive(Debug)]
pub(crate) enum StdinError {
    /// It is larger than the bound.
    TooLarge,
    /// It was neither given nor closed in time.
    TimedOut(Duration),
    /// The system said no.
    Io(io::Error),
}

/// Reads to the end, at most `largest` bytes, and not beyond `deadline`.
///
/// # Errors
/// A retry does not help; the caller has to send its request and close the pipe.
#[cfg(unix)]
pub(crate) fn read_stdin(
    largest: usize,
    clock: &dyn Clock,
    deadline: Option<Deadline>,
) -> Result<Zeroizing<Vec<u8>>, StdinError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let mut chunk = Zeroizing::new([0; 4096]);
    loop {
        wait(clock, deadline)?;
        // Past the buffer of the standard library, which would hide from `wait` what it holds.
        let count = match rustix::io::read(io::stdin(), chunk.as_mut_slice()) {
            Err(rustix::io::Errno::INTR) => continue,
            read => read.map_err(|error| StdinError::Io(error.into()))?,
        };
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            return Ok(bytes);
        };
        bytes.extend_from_slice(read);
        if bytes.len() > largest {
            return Err(StdinError::TooLarge);
        }
    }
}

/// Waits until there is something to read, or the end.
#[cfg(unix)]
fn wait(clock: &dyn Clock, deadline: Option<Deadline>) -> Result<(), StdinError> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let Some(deadline) = deadline else {
        return Ok(());
    };
    let stdin = io::stdin();
    loop {
        let limit = Timespec::try_from(deadline.remaining(clock)).ok();
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], limit.as_ref()) {
            Ok(0) => return Err(StdinError::TimedOut(deadline.limit())),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(StdinError::Io(error.into())),
        }
    }
}

/// The same where nothing but a thread can wait for stdin and a deadline at once.
#[cfg(not(unix))]
pub(crate) fn read_stdin(
    largest: usize,
    clock: &dyn Clock,
    deadline: Option<Deadline>,
) -> Result<Zeroizing<Vec<u8>>, StdinError> {
    use std::io::Read as _;

    let (sender, receiver) = std::sync::mpsc::channel();
    let bound = u64::try_from(largest).unwrap_or(u64::MAX).saturating_add(1);
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        let read = io::stdin().take(bound).read_to_end(&mut bytes);
        drop(sender.send(read.map(|_| bytes)));
    });
    let limit = deadline.map_or(Duration::MAX, |deadline| deadline.remaining(clock));
    let read = receiver.recv_timeout(limit);
    let told = deadline.map_or(limit, Deadline::limit);
    let bytes = read
        .map_err(|_| StdinError::TimedOut(told))?
        .map_err(StdinError::Io)?;
    if bytes.len() > largest {
        Err(StdinError::TooLarge)
    } else {
        Ok(bytes)
    }
}
