//! The errors of `exec`, other than token errors.

use std::io;

use super::Code;
use crate::types::diagnostic::Diagnostic;
use crate::types::template::TemplateError;

/// Why the command of `exec` was not started.
#[derive(Debug)]
pub(crate) enum ExecError {
    /// The template of a variable is invalid.
    Template(TemplateError),
    /// A template uses a value that the profile does not have.
    NoValue {
        profile: String,
        /// The name of the missing value.
        placeholder: &'static str,
    },
    /// The system could not start the command.
    NotRun {
        /// The command's name, quoted.
        program: String,
        error: io::Error,
    },
}

impl ExecError {
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Template(_) => Code::Usage,
            Self::NoValue { .. } => Code::NotSetUp,
            Self::NotRun { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                Code::NoCommand
            }
            Self::NotRun { .. } => Code::NotStarted,
        }
    }

    pub(super) fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Template(error) => Diagnostic {
                what: format!("`--env`: {error}"),
                cause: None,
                hint: Some(match error {
                    TemplateError::Unknown(Some(meant)) => {
                        format!("did you mean `{{{meant}}}`?")
                    }
                    _ => "see `cloudconnexa-auth exec --help`".into(),
                }),
            },
            Self::NoValue {
                profile,
                placeholder,
            } => Diagnostic {
                what: format!("`--env`: profile `{profile}` has no `{{{placeholder}}}`"),
                cause: None,
                hint: Some("give the profile a `cloud_id` or a `base_url`".into()),
            },
            Self::NotRun { program, error } => Diagnostic {
                what: format!("`{program}` could not be started"),
                cause: Some(error.to_string()),
                hint: program
                    .starts_with('-')
                    .then(|| "this program's own flags stand in front of the command".into()),
            },
        }
    }
}
