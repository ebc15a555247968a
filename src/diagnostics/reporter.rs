//! The messages on stderr: errors, warnings, and debug messages with `-v`. No other file writes to
//! stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::diagnostics::background;
use crate::diagnostics::style::{Severity, Style};
use crate::system::environment::Environment;
use crate::types::diagnostic::Diagnostic;

/// The prefix of every line, because stderr also shows the output of other programs.
const PROGRAM: &str = "cloudconnexa-auth";

/// How long an operation may take before a progress message appears.
const QUIET: Duration = Duration::from_secs(1);

/// The longest line that fits on every terminal, in characters. Only a single line can be erased.
const WIDTH: usize = 79;

/// Which messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Errors only.
    Errors,
    /// Also problems that do not affect the result.
    Warnings,
    /// Also every step.
    Debug,
}

/// Writes messages to stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reporter {
    level: Level,
    is_nonblocking: bool,
}

impl Reporter {
    /// A reporter that prints the messages of `level`.
    pub(crate) fn at(level: Level) -> Self {
        Self {
            level,
            is_nonblocking: false,
        }
    }

    /// A reporter for events that may happen while a lock is held. It never blocks, and drops a
    /// line that stderr does not accept at once. Call [`Reporter::flush`] after the lock is
    /// released.
    pub(crate) fn nonblocking(self) -> Self {
        Self {
            is_nonblocking: true,
            ..self
        }
    }

    /// Waits until the lines of the non-blocking reporter are written, unless stderr blocks.
    pub(crate) fn flush() {
        background::flush();
    }

    fn line(self, text: String) {
        if self.is_nonblocking {
            background::write(text);
        } else {
            write(&text);
        }
    }

    /// Prints an error at every level: at most three lines; the first is complete without the
    /// others.
    #[cold]
    pub(crate) fn error(diagnostic: &Diagnostic) {
        let Diagnostic { what, cause, hint } = diagnostic;
        Self::flush();
        let style = style();
        let line = |tone: Severity, kind: &str, text: &String| {
            format!("{PROGRAM}: {} {text}\n", style.paint(tone, kind))
        };
        let cause = cause
            .as_ref()
            .map(|cause| line(Severity::Strong, "cause:", cause))
            .unwrap_or_default();
        let hint = hint
            .as_ref()
            .map(|hint| line(Severity::Strong, "hint:", hint))
            .unwrap_or_default();
        write(&format!(
            "{}{cause}{hint}",
            line(Severity::Bad, "error:", what)
        ));
    }

    /// Whether warnings are printed.
    pub(crate) fn warns(self) -> bool {
        self.level >= Level::Warnings
    }

    /// Prints one line about a problem that does not affect the result.
    pub(crate) fn warning(self, what: &str) {
        if self.warns() {
            let kind = style().paint(Severity::Warning, "warning:");
            self.line(format!("{PROGRAM}: {kind} {what}\n"));
        }
    }

    /// Prints one line about an action for the user.
    pub(crate) fn tell(self, what: &str) {
        if self.level >= Level::Warnings {
            write(&format!("{PROGRAM}: {what}\n"));
        }
    }

    /// Prints planned changes and remaining steps. Not every line starts with this program's name.
    pub(crate) fn change(self, text: &str) {
        if self.level >= Level::Warnings {
            write(text);
        }
    }

    /// Prints one line about a long wait.
    pub(crate) fn waiting(self, what: &str) {
        if self.level >= Level::Warnings {
            self.line(format!("{PROGRAM}: {what}\n"));
        }
    }

    /// Shows a progress line on a terminal while an operation takes longer than a second. The line
    /// is erased when the returned value is dropped. With `-v` there is no progress line, because
    /// the debug messages show the steps.
    pub(crate) fn progress(self, what: &str) -> Option<Progress> {
        (self.level == Level::Warnings && style().is_terminal())
            .then(|| Progress::start(what))
            .flatten()
    }

    /// Passes on the output of another program unchanged. A closed stderr cannot be reported.
    pub(crate) fn pass_on(said: &[u8]) {
        drop(io::stderr().lock().write_all(said));
    }

    /// Prints one line about a step.
    pub(crate) fn debug(self, what: &str) {
        if self.level >= Level::Debug {
            self.line(format!("{PROGRAM}: debug: {what}\n"));
        }
    }
}

/// A progress line for a wait that may be long.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Dropped to signal the end of the wait.
    end: Option<Sender<()>>,
    /// Closed when the thread has removed its line.
    removed: Receiver<()>,
}

impl Progress {
    fn start(what: &str) -> Option<Self> {
        let room = WIDTH.saturating_sub(PROGRAM.len() + ":  …".chars().count());
        let what: String = what.chars().take(room).collect();
        let line = format!("{PROGRAM}: {what} …");
        let line = style().paint(Severity::Dim, &line);
        let (end, ended) = mpsc::channel::<()>();
        let (done, removed) = mpsc::channel::<()>();
        let show = move || {
            let is_long = ended.recv_timeout(QUIET) == Err(RecvTimeoutError::Timeout);
            if is_long && background::is_writable() {
                write(&line);
                // No message is sent. The error means that the sender was dropped: the wait has
                // ended.
                ended.recv().ok();
                write("\r\x1b[2K");
            }
            drop(done);
        };
        thread::Builder::new().spawn(show).ok()?;
        Some(Self {
            end: Some(end),
            removed,
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end.take();
        // The line is erased before the next one is written, unless the terminal is stopped.
        background::is_received(&self.removed);
    }
}

fn style() -> Style {
    Style::of(&Environment::process(), io::stderr().is_terminal())
}

/// Writes the text with one call, so that lines of several processes do not mix.
fn write(text: &str) {
    Reporter::pass_on(text.as_bytes());
}
