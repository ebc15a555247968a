//! Writes to stdout: a response in one write, or another program's output as it arrives. Errors are
//! checked.

use std::io::{self, Write};

/// Writes a response, or a part of a dialogue. A closed reader is not an error.
///
/// # Errors
/// The error of the system; a retry does not help.
pub(crate) fn print(stdout: &mut dyn Write, answer: &[u8]) -> io::Result<()> {
    match stdout.write_all(answer).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a part of another program's output; returns `false` if the reader has closed.
///
/// # Errors
/// The error of the system; a retry does not help.
#[cfg(unix)]
pub(crate) fn pass_on(stdout: &mut dyn Write, part: &[u8]) -> io::Result<bool> {
    match stdout.write_all(part).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}
