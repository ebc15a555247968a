//! Runs a program that returns a secret: no shell, a deadline, bounded output.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{LONGEST, SourceError};
use crate::system;
use crate::system::clock::{Clock, Deadline};
use crate::system::environment::Environment;
use crate::types::quote::quote;

/// The destination of a program's stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stderr {
    /// The user's stderr: prompts ("touch your key") and errors show at once.
    Shown,
    /// Discarded: the program reports errors on stdout.
    Hidden,
}

/// The exit status and the output of a program.
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Zeroizing<Vec<u8>>,
}

impl Output {
    /// Returns the error for a failed program. Its message was on stderr, so the user has seen it.
    pub(super) fn failure(&self, program: &str) -> SourceError {
        SourceError::ProgramFailed {
            program: quote(program),
            status: self.status.to_string(),
        }
    }
}

/// The context of every program start.
#[derive(Clone, Copy)]
pub(crate) struct Launcher<'a> {
    /// PATH, and the names of the variables that the program must not inherit.
    pub(crate) environment: &'a Environment,
    pub(crate) clock: &'a dyn Clock,
    /// The time at which the program is killed.
    pub(crate) deadline: Deadline,
}

/// Runs `program` and kills it at the deadline.
///
/// Its stdin is `input`, which must fit into a pipe, or is empty. Variables that hold a secret are
/// not in its environment.
pub(super) fn run(
    program: &str,
    arguments: &[OsString],
    input: Option<&[u8]>,
    stderr: Stderr,
    launcher: Launcher<'_>,
) -> Result<Output, SourceError> {
    let Launcher {
        environment,
        clock,
        deadline,
    } = launcher;
    let limit = deadline.remaining(clock);
    let not_started = |error| SourceError::NotStarted {
        program: quote(program),
        error,
    };
    let command = system::program::command(OsStr::new(program), environment);
    let mut child = command
        .map_err(not_started)?
        .args(arguments)
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(match stderr {
            Stderr::Shown => Stdio::inherit(),
            Stderr::Hidden => Stdio::null(),
        })
        .spawn()
        .map_err(not_started)?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // One short line. A program that does not read it (closed pipe) may still answer.
        match stdin.write_all(input) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(not_started(error));
            }
            _ => {}
        }
    }
    let (sender, receiver) = mpsc::channel();
    let stdout = child.stdout.take();
    thread::Builder::new()
        .name("program".to_owned())
        .spawn(move || {
            // Reserve more than the maximum size, so that the buffer never grows and leaves a copy
            // behind.
            let room = usize::try_from(LONGEST).unwrap_or(0) + 64;
            let mut bytes = Zeroizing::new(Vec::with_capacity(room));
            let read = stdout.map_or(Ok(0), |out| out.take(LONGEST + 1).read_to_end(&mut bytes));
            drop(sender.send(read.map(|_| bytes)));
        })
        .map_err(not_started)?;
    let read = receiver.recv_timeout(limit);
    let stdout = match read {
        Ok(stdout) => stdout.map_err(not_started)?,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            end(&mut child);
            return Err(SourceError::TimedOut {
                program: quote(program),
                limit,
            });
        }
    };
    if stdout.len() as u64 > LONGEST {
        end(&mut child);
        return Err(SourceError::Unusable {
            place: format!("the output of `{}`", quote(program)),
            reason: "is longer than 64 KiB",
        });
    }
    // The program closed its stdout, so a well-behaved program exits at once.
    loop {
        if let Some(status) = child.try_wait().map_err(not_started)? {
            return Ok(Output { status, stdout });
        }
        if deadline.remaining(clock).is_zero() {
            end(&mut child);
            return Err(SourceError::TimedOut {
                program: quote(program),
                limit,
            });
        }
        clock.sleep(Duration::from_millis(1));
    }
}

/// Kills a program, but first its descendants: one of them could hold this process's stderr open
/// and block a caller that reads stderr to its end.
///
/// Descendants are found by their parent process. With a process group of its own, the program
/// could not prompt on the terminal, and it would survive a kill of this process's group
/// (timeout(1), a cancelled job).
///
/// A descendant that runs as another user (sudo) cannot be killed; it is neither killed nor
/// awaited.
fn end(child: &mut Child) {
    #[cfg(target_os = "linux")]
    super::descendants::kill(child.id());
    if child.kill().is_ok() {
        child.wait().ok();
    }
}
