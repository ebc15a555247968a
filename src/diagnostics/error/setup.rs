//! The errors of `setup`.

use std::io;
use std::path::PathBuf;

use super::Code;
use crate::system::file::ReadError;
use crate::tool_config::EditError;
use crate::types::diagnostic::Diagnostic;

/// Why a tool could not be set up or removed. Nothing was changed.
#[derive(Debug)]
pub(crate) enum SetupError {
    /// The tool does not exist.
    UnknownTool {
        /// The argument, quoted.
        name: String,
        /// The most similar name.
        meant: Option<&'static str>,
        /// All names.
        known: String,
    },
    /// The tool's file does not allow the change.
    Refused {
        tool: &'static str,
        /// The tool's file, if known.
        path: Option<PathBuf>,
        error: EditError,
    },
    /// The tool is not installed, so its configuration command cannot be run.
    NotInstalled {
        tool: &'static str,
        /// The tool's file.
        path: PathBuf,
    },
    /// The tool's file cannot be read.
    Unreadable(PathBuf, ReadError),
    /// The tool's file, or a link, cannot be written.
    Unwritable(PathBuf, io::Error),
    /// The path of this program cannot be determined.
    NoProgram(io::Error),
    /// Another file has the name of the tool's link.
    LinkTaken(PathBuf),
    /// No directory for the link is writable.
    NoLinkFolder(&'static str),
}

impl SetupError {
    pub(super) fn code(&self) -> Code {
        match self {
            Self::UnknownTool { .. } => Code::Usage,
            Self::NoProgram(_) => Code::Unexpected,
            _ => Code::NotSetUp,
        }
    }

    pub(super) fn diagnostic(&self) -> Diagnostic {
        let say = |what: String, cause: Option<String>, hint: &str| Diagnostic {
            what,
            cause,
            hint: Some(hint.to_owned()),
        };
        match self {
            Self::UnknownTool { name, meant, known } => Diagnostic {
                what: format!("`setup` does not know the tool `{name}`"),
                cause: None,
                hint: Some(match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it knows {known}"),
                }),
            },
            Self::Refused { tool, path, error } => refused(tool, path.as_ref(), error),
            Self::NotInstalled { tool, path } => say(
                format!("`{tool}` is not installed: it is in no absolute directory of PATH"),
                None,
                &format!(
                    "install {tool}, or edit `{}` by hand",
                    crate::types::quote::path(path)
                ),
            ),
            Self::Unreadable(path, error) => say(
                format!("`{}` cannot be read", crate::types::quote::path(path)),
                Some(error.to_string()),
                "nothing was changed",
            ),
            Self::Unwritable(path, error) => say(
                format!("`{}` cannot be written", crate::types::quote::path(path)),
                Some(error.to_string()),
                "it is as it was; let yourself write there, or make by hand the change that `--print` \
                 shows",
            ),
            Self::NoProgram(error) => say(
                "cannot determine the path of this executable".into(),
                Some(error.to_string()),
                "nothing was changed",
            ),
            Self::LinkTaken(path) => say(
                format!(
                    "`{}` is there and is not this program",
                    crate::types::quote::path(path)
                ),
                None,
                "nothing was changed; remove it, if nothing needs it",
            ),
            Self::NoLinkFolder(name) => say(
                format!("there is no folder to make the link `{name}` in"),
                None,
                "nothing was changed; make a link or a copy of this program under that name in a \
                 folder on PATH",
            ),
        }
    }
}

fn refused(tool: &str, path: Option<&PathBuf>, error: &EditError) -> Diagnostic {
    let path = path.map(|path| crate::types::quote::path(path));
    let path = path.unwrap_or_default();
    let by_hand = format!("check `{path}`; run the command yourself to see its message");
    let (what, cause, hint) = match error {
        EditError::Broken {
            line,
            column,
            problem,
        } => (
            format!("{path}:{line}:{column}: {problem}"),
            Some(format!(
                "`setup {tool}` changes no file that it does not understand"
            )),
            "nothing was changed; fix the file",
        ),
        EditError::Changed { line } => (
            format!("what `setup {tool}` wrote to `{path}` was changed since"),
            Some(format!(
                "line {line} and what follows it are not as they were written"
            )),
            "nothing was changed; take those lines out by hand",
        ),
        EditError::Taken(problem) => (
            format!("`{path}` is set up for something else: {problem}"),
            None,
            "nothing was changed; remove that first, or name other hosts with `--host`",
        ),
        EditError::Failed { command, status } => (
            format!("`{command}` failed"),
            Some(status.clone()),
            by_hand.as_str(),
        ),
        EditError::NotOurs => (
            format!("`{path}`: {error}"),
            None,
            "nothing was changed; rename it, or work in another folder",
        ),
        EditError::Impossible(problem) => (
            format!("`setup {tool}`: {problem}"),
            None,
            "nothing was changed",
        ),
    };
    Diagnostic {
        what,
        cause,
        hint: Some(hint.into()),
    }
}
