//! Running a program that knows a secret: no shell, a deadline, bounded output.

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

/// Who sees what a program says on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stderr {
    /// The user: prompts ("touch your key") and complaints show at once.
    Shown,
    /// Nobody: what it has to say it says on stdout.
    Hidden,
}

/// How a program ended and what it printed.
pub(super) struct Output {
    pub(super) status: ExitStatus,
    pub(super) stdout: Zeroizing<Vec<u8>>,
}

impl Output {
    /// The error of a program that ended badly and said why on stderr, which the user has seen.
    pub(super) fn failure(&self, program: &str) -> SourceError {
        SourceError::ProgramFailed {
            program: quote(program),
            status: self.status.to_string(),
        }
    }
}

/// What every start of a program needs.
#[derive(Clone, Copy)]
pub(crate) struct Launcher<'a> {
    /// Has PATH and the names of the variables that the program must not inherit.
    pub(crate) environment: &'a Environment,
    /// Measures the time.
    pub(crate) clock: &'a dyn Clock,
    /// When the program is killed.
    pub(crate) deadline: Deadline,
}

/// Runs `program` until the deadline; then it is killed.
///
/// Its stdin is `input`, which must fit into a pipe, or nothing. No variable that holds a secret is
/// in its environment.
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
        // One short line; a program that does not read it (closed pipe) may answer all the same.
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
            // Room for all of it and to spare: nothing grows and leaves a copy behind.
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
    // Its stdout is closed: what is left is the exit, which a well-behaved program does at once.
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

/// Kills a program, and first those that it has started: one of them could hold our stderr open, and
/// with it a caller who reads that to its end.
///
/// They are found by who started whom, not by a process group of their own: such a group could not
/// ask a person on the terminal, and would outlive whoever kills ours (timeout(1), a cancelled job).
///
/// What has become another user's (sudo) cannot be killed: it is left alone, and not waited for.
fn end(child: &mut Child) {
    #[cfg(target_os = "linux")]
    super::descendants::kill(child.id());
    if child.kill().is_ok() {
        child.wait().ok();
    }
}
