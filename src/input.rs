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
pub(crate) fn read_stdin(
    largest: usize,
    clock: &dyn Clock,
    deadline: Option<Deadline>,
) -> Result<Zeroizing<Vec<u8>>, StdinError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let mut chunk = Zeroizing::new([0; 4096]);
    loop {
        wait(clock, deadline)?;
        let count = read(chunk.as_mut_slice()).map_err(StdinError::Io)?;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else {
            return Ok(bytes);
        };
        bytes.extend_from_slice(read);
        if bytes.len() > largest {
            return Err(StdinError::TooLarge);
        }
    }
}

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

/// Without a portable way to wait, the caller's own limit has to do.
#[cfg(not(unix))]
fn wait(_: &dyn Clock, _: Option<Deadline>) -> Result<(), StdinError> {
    Ok(())
}

/// Past the buffer of the standard library, which would hide from `wait` what it holds.
#[cfg(unix)]
fn read(chunk: &mut [u8]) -> io::Result<usize> {
    loop {
        match rustix::io::read(io::stdin(), &mut *chunk) {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map_err(io::Error::from),
        }
    }
}

#[cfg(not(unix))]
fn read(chunk: &mut [u8]) -> io::Result<usize> {
    io::Read::read(&mut io::stdin(), chunk)
}
