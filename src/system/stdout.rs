//! stdout: an answer in one write, or what another program says, as it comes; errors checked.

use std::io::{self, Write};

/// Writes an answer, or a part of a dialogue. A reader that went away wants no answer any more.
///
/// # Errors
/// What the system says; a retry does not help.
pub(crate) fn print(stdout: &mut dyn Write, answer: &[u8]) -> io::Result<()> {
    match stdout.write_all(answer).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a part of what another program says; `false` where the reader went away.
///
/// # Errors
/// What the system says; a retry does not help.
#[cfg(unix)]
pub(crate) fn pass_on(stdout: &mut dyn Write, part: &[u8]) -> io::Result<bool> {
    match stdout.write_all(part).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        written => written.map(|()| true),
    }
}
