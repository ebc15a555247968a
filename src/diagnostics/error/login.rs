//! The errors of `login` and `logout`, other than configuration and token errors.

use crate::config::Profile;
use crate::oauth::{ApiResponse, ExchangeError, Refusal};
use crate::secret_source::SourceError;
use crate::system::terminal::TerminalError;
use crate::token_provider::ObtainError;
use crate::types::diagnostic::Diagnostic;
use crate::types::duration::show;
use crate::types::token::AccessToken;

use super::Code;

/// Why `login` or `logout` failed.
#[derive(Debug)]
pub(crate) enum LoginError {
    /// There is no terminal to ask for values that no flag sets.
    NoTerminal {
        /// The missing flags.
        missing: Vec<&'static str>,
    },
    /// The secret would be visible on the terminal.
    SecretFromTerminal,
    /// The input is not a valid secret.
    Secret(SourceError),
    /// The dialogue with the user failed.
    Terminal {
        /// The subcommand.
        verb: &'static str,
        error: TerminalError,
    },
    /// The user answered no.
    Declined {
        /// The subcommand.
        verb: &'static str,
    },
    /// The chosen secret backend cannot store the secret.
    SecretBackend {
        /// The backend's program.
        program: String,
        /// The backend's error.
        error: SourceError,
    },
    /// The profile to remove is not in the file.
    NotInFile {
        /// The name of the profile to remove.
        profile: String,
    },
}

impl LoginError {
    pub(super) fn code(&self) -> Code {
        match self {
            Self::NoTerminal { .. } | Self::SecretFromTerminal | Self::Secret(_) => Code::Usage,
            Self::Terminal { error, .. } => match error {
                TerminalError::Interrupted => Code::Interrupted,
                TerminalError::TooLong => Code::Usage,
                TerminalError::Ended | TerminalError::Io(_) => Code::Unexpected,
            },
            Self::Declined { .. } => Code::Unexpected,
            Self::SecretBackend { .. } | Self::NotInFile { .. } => Code::NotSetUp,
        }
    }

    pub(super) fn diagnostic(&self) -> Diagnostic {
        let say = |what: String, cause: Option<String>, hint: Option<&str>| Diagnostic {
            what,
            cause,
            hint: hint.map(str::to_owned),
        };
        match self {
            Self::NoTerminal { missing } => {
                let flags: Vec<String> = missing.iter().map(|flag| format!("`{flag}`")).collect();
                say(
                    format!(
                        "`login`: there is no terminal to ask on, and {} not given",
                        crate::config::are(&flags.iter().map(String::as_str).collect::<Vec<_>>())
                    ),
                    None,
                    Some("run it on a terminal, or give the flags and the secret on stdin"),
                )
            }
            Self::SecretFromTerminal => say(
                "`--secret-stdin` is for a pipe or a file, and stdin is a terminal".into(),
                None,
                Some("leave it out to be asked for the secret without it being shown"),
            ),
            Self::Secret(error) => say(
                format!("`login`: {error}; nothing was saved"),
                None,
                Some("give the client secret alone, on one line"),
            ),
            Self::Terminal { verb, error } => {
                say(format!("`{verb}`: {error}; {}", nothing(verb)), None, None)
            }
            Self::Declined { verb } => say(format!("`{verb}`: {}", nothing(verb)), None, None),
            Self::SecretBackend { program, error } => say(
                format!("`{program}` does not keep the client secret; nothing was saved"),
                Some(error.to_string()),
                Some("fix it, or choose another keeper, such as `--store file`"),
            ),
            Self::NotInFile { profile } => say(
                format!("profile `{profile}` is made of environment variables"),
                None,
                Some("unset the variables CLOUDCONNEXA_…, or choose another with `--profile`"),
            ),
        }
    }
}

fn nothing(verb: &str) -> &'static str {
    if verb == "logout" {
        "nothing was removed"
    } else {
        "nothing was saved"
    }
}

/// What to check in the portal if the server reports no reason.
fn portal(profile: &Profile) -> String {
    let suffix = profile.tenant().map_or_else(
        || "whole".to_owned(),
        |tenant| format!("whole, with `.{tenant}` at its end"),
    );
    format!(
        "copy the client ID {suffix}, and the secret; in the portal (API & Logs > API) Enable API \
         must be on, the credential's lifetime not over, and this machine in its allowed subnets"
    )
}

/// The diagnostic for a failed token request of `login`: that of any command, with other hints.
pub(crate) fn explain_trial(
    error: &ObtainError,
    profile: &Profile,
    told: Diagnostic,
) -> Diagnostic {
    let hint = match error {
        ObtainError::Exchange(ExchangeError::Refused {
            refusal: Refusal::Credentials | Refusal::Forbidden,
            ..
        }) if profile.mismatched_suffix().is_none() => Some(portal(profile)),
        ObtainError::Exchange(ExchangeError::Refused {
            refusal: Refusal::Expired,
            ..
        }) => Some("make new API credentials in the portal and log in with them".to_owned()),
        _ => told.hint,
    };
    Diagnostic {
        what: format!("{}; nothing was saved", told.what),
        cause: told.cause,
        hint,
    }
}

/// The exit code and the diagnostic if the API refuses a new token; `None` if it accepts the token.
///
/// A missing path (404) is not a refusal: some tenants have another path.
pub(crate) fn explain_api(
    seen: &ApiResponse,
    token: &AccessToken,
    url: &str,
    profile: &Profile,
) -> Option<(Code, Diagnostic)> {
    let (name, status) = (&profile.name, seen.status);
    let told = seen.error_text(token).map(|told| format!("\"{told}\""));
    let cause = format!(
        "{}, from {url}",
        told.as_deref().unwrap_or("no reason given")
    );
    let (code, what, hint) = match status {
        200..300 | 404 | 405 | 410 => return None,
        401 | 403 => (
            Code::Refused,
            format!("the API refused the token of profile `{name}` ({status})"),
            "in the portal (API & Logs > API) Enable API must be on, the credential must have \
             the permission to read, and this machine must be in its allowed subnets"
                .to_owned(),
        ),
        429 => (
            Code::RateLimited,
            format!("the API is rate limiting the credentials of profile `{name}` (429)"),
            match seen.pause {
                Some(pause) => format!("try again in {}", show(pause)),
                None => "try again in 15s, the vendor's usual interval".to_owned(),
            },
        ),
        _ => (
            Code::Unavailable,
            format!("the API of profile `{name}` answered {status}"),
            "try again; if it stays so, check the Cloud ID or `--base-url`".to_owned(),
        ),
    };
    let diagnostic = Diagnostic {
        what: format!("{what}; nothing was saved"),
        cause: Some(cause),
        hint: Some(hint),
    };
    Some((code, diagnostic))
}
