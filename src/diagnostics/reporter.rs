//! What people are told on stderr: errors, warnings, and with `-v` what is done. The only file
//! that writes there.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use crate::diagnostics::background;
use crate::diagnostics::style::{Severity, Style};
use crate::system::environment::Environment;
use crate::types::diagnostic::Diagnostic;

/// In front of every line, for it lands amid the output of other programs.
const PROGRAM: &str = "cloudconnexa-auth";

/// How long a person waits without a word.
const QUIET: Duration = Duration::from_secs(1);

/// The longest line that fits on every terminal, in characters; only one line can be taken back.
const WIDTH: usize = 79;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Errors only.
    Errors,
    /// And what went wrong beside a good answer.
    Warnings,
    /// And what is done.
    Debug,
}

/// The way to stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reporter {
    level: Level,
    is_nonblocking: bool,
}

impl Reporter {
    /// A report that tells as much as `level` says.
    pub(crate) fn at(level: Level) -> Self {
        Self {
            level,
            is_nonblocking: false,
        }
    }

    /// A reporter for events that may happen while a lock is held: it never blocks, and drops a line
    /// that stderr does not take at once. [`Reporter::flush`] comes after the lock was released.
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

    /// At most three lines, of which the first stands alone; told at every level.
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

    /// Whether warnings are told.
    pub(crate) fn warns(self) -> bool {
        self.level >= Level::Warnings
    }

    /// One line on what went wrong beside a good answer.
    pub(crate) fn warning(self, what: &str) {
        if self.warns() {
            let kind = style().paint(Severity::Warning, "warning:");
            self.line(format!("{PROGRAM}: {kind} {what}\n"));
        }
    }

    /// One line on what was done for a person.
    pub(crate) fn tell(self, what: &str) {
        if self.level >= Level::Warnings {
            write(&format!("{PROGRAM}: {what}\n"));
        }
    }

    /// What is about to be changed, and what is left to do; not in front of every line is our name.
    pub(crate) fn change(self, text: &str) {
        if self.level >= Level::Warnings {
            write(text);
        }
    }

    /// One line on a wait that has become long.
    pub(crate) fn waiting(self, what: &str) {
        if self.level >= Level::Warnings {
            self.line(format!("{PROGRAM}: {what}\n"));
        }
    }

    /// A line that a person on a terminal sees while something takes longer than a second, and that
    /// goes away when the answer is dropped. Nobody else sees it; with `-v` what is done is told
    /// already.
    pub(crate) fn progress(self, what: &str) -> Option<Progress> {
        (self.level == Level::Warnings && style().is_terminal())
            .then(|| Progress::start(what))
            .flatten()
    }

    /// What another program says there, as it is. Nobody can be told that stderr is closed.
    pub(crate) fn pass_on(said: &[u8]) {
        drop(io::stderr().lock().write_all(said));
    }

    /// One line on what is done.
    pub(crate) fn debug(self, what: &str) {
        if self.level >= Level::Debug {
            self.line(format!("{PROGRAM}: debug: {what}\n"));
        }
    }
}

/// A wait that may become long.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Dropped at the end of the wait.
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
                // An error is the end of the wait, and the only thing that can come.
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
        // The line is removed before the next one is written, unless the terminal was stopped.
        background::is_received(&self.removed);
    }
}

fn style() -> Style {
    Style::of(&Environment::process(), io::stderr().is_terminal())
}

/// In one piece, so that lines of many processes do not mix.
fn write(text: &str) {
    Reporter::pass_on(text.as_bytes());
}
