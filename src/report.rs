//! What people are told on stderr: errors, warnings, and with `-v` what is done. The only file
//! that writes there.

use std::io::{self, Write as _};

use crate::explanation::Explanation;

/// In front of every line, for it lands amid the output of other programs.
const PROGRAM: &str = "cloudconnexa-auth";

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
pub(crate) struct Report {
    level: Level,
}

impl Report {
    /// A report that tells as much as `level` says.
    pub(crate) fn at(level: Level) -> Self {
        Self { level }
    }

    /// At most three lines, of which the first stands alone; told at every level.
    pub(crate) fn error(explanation: &Explanation) {
        let Explanation { what, cause, hint } = explanation;
        let line = |kind: &str, text: &String| format!("{PROGRAM}: {kind}: {text}\n");
        let cause = cause
            .as_ref()
            .map(|cause| line("cause", cause))
            .unwrap_or_default();
        let hint = hint
            .as_ref()
            .map(|hint| line("hint", hint))
            .unwrap_or_default();
        write(&format!("{}{cause}{hint}", line("error", what)));
    }

    /// One line on what went wrong beside a good answer.
    pub(crate) fn warning(self, what: &str) {
        if self.level >= Level::Warnings {
            write(&format!("{PROGRAM}: warning: {what}\n"));
        }
    }

    /// One line on a wait that has become long.
    pub(crate) fn waiting(self, what: &str) {
        if self.level >= Level::Warnings {
            write(&format!("{PROGRAM}: {what}\n"));
        }
    }

    /// One line on what is done.
    pub(crate) fn debug(self, what: &str) {
        if self.level >= Level::Debug {
            write(&format!("{PROGRAM}: debug: {what}\n"));
        }
    }
}

/// In one piece, so that lines of many processes do not mix. Nobody can be told that stderr is
/// closed.
fn write(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}
