//! The error type of all commands, with its diagnostic in three lines and its exit code. Errors of
//! a single command are in a separate file each.

mod curl;
mod exec;
mod login;
mod setup;

use std::io;
use std::time::Duration;

use crate::cache::Reason;
use crate::cli::UsageError;
use crate::config::{ProfileError, are};
use crate::oauth::ExchangeError;
use crate::protocol::InputError;
use crate::secret_source::SourceError;
use crate::token_provider::ObtainError;
use crate::types::diagnostic::Diagnostic;
use crate::types::duration::show;
use crate::types::uri::UriError;

pub(crate) use curl::CurlError;
pub(crate) use exec::ExecError;
pub(crate) use login::{LoginError, explain_api, explain_trial};
pub(crate) use setup::SetupError;

/// The exit codes; README.md has the same table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// An unexpected failure.
    Unexpected = 1,
    /// A usage error, or input that violates the protocol.
    Usage = 2,
    /// The configuration is missing or invalid; fix it.
    NotSetUp = 3,
    /// The server refused the credentials; fix it.
    Refused = 4,
    /// Rate limited; retry later.
    RateLimited = 5,
    /// The server is unavailable; retry.
    Unavailable = 6,
    /// Another process held the lock until the deadline; retry.
    LockTimedOut = 7,
    /// The command of `exec`, or curl, exists but cannot be started.
    NotStarted = 126,
    /// The command of `exec`, or curl, does not exist.
    NoCommand = 127,
    /// Ctrl-C, read as a character from the terminal.
    Interrupted = 130,
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Error {
    /// The command line is invalid.
    Usage(UsageError),
    /// The input is invalid.
    Input {
        /// The subcommand that read it.
        verb: &'static str,
        error: InputError,
    },
    /// stdin was not closed in time.
    InputTimedOut {
        /// The subcommand that read it.
        verb: &'static str,
        /// The time limit.
        limit: Duration,
    },
    /// stdin could not be read.
    Stdin(io::Error),
    /// stdout could not be written.
    Stdout(io::Error),
    /// The configuration or the choice of a profile failed.
    Profile(ProfileError),
    /// There is no token.
    Obtain {
        diagnostic: Diagnostic,
        /// The exit code.
        code: Code,
    },
    /// A tool asked to store a secret that this program did not issue.
    NotKept {
        /// The subcommand of the tool's protocol.
        verb: &'static str,
    },
    /// No profile covers the URI to which a token is to be sent.
    NotCovered {
        /// The URI's origin, or why it has no valid one.
        origin: Result<String, UriError>,
        /// The profile that the caller named, if any.
        profile: Option<String>,
    },
    /// The command of `exec` could not be started.
    Exec(ExecError),
    /// `curl` was not started.
    Curl(CurlError),
    /// `login` or `logout` failed.
    Login(LoginError),
    /// A tool could not be set up.
    Setup(SetupError),
    /// The stored secret could not be removed.
    NotRemovable {
        profile: String,
        /// The source of its secret.
        source: String,
    },
    /// The backend could not remove the stored secret.
    Removal(SourceError),
}

impl Error {
    /// The exit code.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Stdin(_) | Self::Stdout(_) | Self::Removal(_) => Code::Unexpected,
            Self::Profile(ProfileError::NotStorable { .. })
            | Self::Usage(_)
            | Self::InputTimedOut { .. }
            | Self::NotKept { .. }
            | Self::Input { .. } => Code::Usage,
            Self::Profile(ProfileError::Locked(_)) => Code::LockTimedOut,
            Self::Profile(_) | Self::NotCovered { .. } | Self::NotRemovable { .. } => {
                Code::NotSetUp
            }
            Self::Obtain { code, .. } => *code,
            Self::Exec(error) => error.code(),
            Self::Curl(error) => error.code(),
            Self::Login(error) => error.code(),
            Self::Setup(error) => error.code(),
        }
    }

    /// The message for the user.
    #[cold]
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        let say = |what: String, cause: Option<String>, hint: Option<String>| Diagnostic {
            what,
            cause,
            hint,
        };
        match self {
            Self::Usage(error) => say(error.to_string(), None, Some(usage_hint(error))),
            Self::Input { verb, error } => {
                let hint = match error {
                    InputError::Unknown {
                        meant: Some(meant), ..
                    } => {
                        format!("did you mean `{meant}`?")
                    }
                    _ => format!("see `cloudconnexa-auth {verb} --help`"),
                };
                say(format!("`{verb}`: {error}"), None, Some(hint))
            }
            Self::InputTimedOut { verb, limit } => say(
                format!("`{verb}`: stdin was not closed within {}", show(*limit)),
                None,
                Some(
                    "send the request and close the pipe; or allow more time with `--timeout`"
                        .into(),
                ),
            ),
            Self::Stdin(error) => say(
                "stdin could not be read".into(),
                Some(error.to_string()),
                None,
            ),
            Self::Stdout(error) => say(
                "the answer could not be written to stdout".into(),
                Some(error.to_string()),
                None,
            ),
            Self::Profile(error) => {
                say(error.to_string(), profile_cause(error), profile_hint(error))
            }
            Self::Obtain { diagnostic, .. } => diagnostic.clone(),
            Self::Exec(error) => error.diagnostic(),
            Self::Curl(error) => error.diagnostic(),
            Self::Login(error) => error.diagnostic(),
            Self::Setup(error) => error.diagnostic(),
            Self::NotKept { verb } => say(
                format!("`{verb}`: this helper keeps no secret that did not come from it"),
                None,
                Some(
                    "nothing was saved; API credentials are saved with `cloudconnexa-auth login`, \
                     and other secrets need another helper"
                        .into(),
                ),
            ),
            Self::NotCovered { origin, profile } => say(
                match (origin, profile) {
                    (Ok(origin), Some(profile)) => {
                        format!("`{origin}` is not a host of profile `{profile}`")
                    }
                    (Ok(origin), None) => format!("no profile covers `{origin}`"),
                    (Err(reason), _) => {
                        format!("no token may go to the URI that is named: {reason}")
                    }
                },
                None,
                Some(
                    "a token goes to its own hosts only; `hosts` in the profile adds to them"
                        .into(),
                ),
            ),
            Self::NotRemovable { profile, source } => say(
                format!("the client secret of profile `{profile}` is not kept by this program"),
                Some(format!("it comes from {source}")),
                Some("remove it there; the cached token has been dropped".into()),
            ),
            Self::Removal(error) => say(
                "the stored client secret could not be removed".into(),
                Some(error.to_string()),
                matches!(
                    error,
                    SourceError::NotErased { .. } | SourceError::ProgramFailed { .. }
                )
                .then(|| "unlock the keychain, and try again".into()),
            ),
        }
    }
}

impl From<ExecError> for Error {
    fn from(error: ExecError) -> Self {
        Self::Exec(error)
    }
}

impl From<CurlError> for Error {
    fn from(error: CurlError) -> Self {
        Self::Curl(error)
    }
}

impl From<LoginError> for Error {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
    }
}

impl From<SetupError> for Error {
    fn from(error: SetupError) -> Self {
        Self::Setup(error)
    }
}

impl From<UsageError> for Error {
    fn from(error: UsageError) -> Self {
        Self::Usage(error)
    }
}

impl From<ProfileError> for Error {
    fn from(error: ProfileError) -> Self {
        Self::Profile(error)
    }
}

/// The exit code of a failed token request.
pub(crate) fn code_of(error: &ObtainError) -> Code {
    match error {
        ObtainError::Exchange(error) => match error {
            ExchangeError::Refused { .. } => Code::Refused,
            ExchangeError::RateLimited { .. } => Code::RateLimited,
            ExchangeError::ServerError { .. }
            | ExchangeError::InvalidResponse(_)
            | ExchangeError::Transport(_) => Code::Unavailable,
        },
        ObtainError::CoolingDown(cooldown) => match cooldown.reason {
            Reason::RateLimited => Code::RateLimited,
            Reason::Refused => Code::Refused,
            Reason::Unavailable => Code::Unavailable,
            Reason::NoSecret => Code::NotSetUp,
        },
        ObtainError::Source(SourceError::TimedOut { .. }) => Code::Unavailable,
        ObtainError::Source(error) if error.is_exhaustion() => Code::Unavailable,
        ObtainError::Source(_) | ObtainError::SetUp(_) | ObtainError::LifeTooShort { .. } => {
            Code::NotSetUp
        }
        ObtainError::CacheUnwritable { .. } => Code::Unexpected,
        ObtainError::LockTimedOut { .. } => Code::LockTimedOut,
    }
}

fn usage_hint(error: &UsageError) -> String {
    match error {
        UsageError::UnknownSubcommand {
            meant: Some(meant), ..
        } => format!("did you mean `{meant}`?"),
        UsageError::UnknownFlag {
            meant: Some(meant), ..
        } => format!("did you mean `--{meant}`?"),
        UsageError::SecretFlag => {
            "`cloudconnexa-auth login` asks for it or, with `--secret-stdin`, reads it from stdin; or \
             set CLOUDCONNEXA_CLIENT_SECRET"
                .into()
        }
        UsageError::UnknownFlag {
            subcommand: "curl", ..
        } => {
            "curl's own options stand behind PATH; see `cloudconnexa-auth curl --help`".into()
        }
        UsageError::UnknownFlag { subcommand, .. }
        | UsageError::UnexpectedArgument { subcommand }
        | UsageError::NoRest { subcommand, .. }
        | UsageError::NoOperand { subcommand, .. }
            if *subcommand != "cloudconnexa-auth" =>
        {
            format!("see `cloudconnexa-auth {subcommand} --help`")
        }
        _ => "see `cloudconnexa-auth --help`, and each command's own `--help`".into(),
    }
}

fn profile_cause(error: &ProfileError) -> Option<String> {
    match error {
        ProfileError::None {
            path,
            missing_variables,
        } if missing_variables.is_empty() => {
            let path = path
                .as_ref()
                .map(|path| format!("`{}` has none", crate::types::quote::path(path)));
            let path = path.unwrap_or_else(|| "there is no home for a configuration file".into());
            Some(format!("{path}, and CLOUDCONNEXA_CLIENT_ID is not set"))
        }
        ProfileError::None {
            missing_variables, ..
        } => Some(format!("{} not set", are(missing_variables))),
        _ => None,
    }
}

fn profile_hint(error: &ProfileError) -> Option<String> {
    match error {
        ProfileError::Invalid { hint, .. } | ProfileError::NotStorable { hint, .. } => hint.clone(),
        ProfileError::None { .. } => Some(
            "save one with `cloudconnexa-auth login`, or set CLOUDCONNEXA_CLOUD_ID, \
             CLOUDCONNEXA_CLIENT_ID and CLOUDCONNEXA_CLIENT_SECRET"
                .into(),
        ),
        ProfileError::Incomplete { missing_variables } => Some(format!(
            "set {}, or choose a profile with `--profile`",
            missing_variables.join(" and ")
        )),
        ProfileError::Unknown {
            meant: Some(meant), ..
        } => Some(format!("did you mean `{meant}`?")),
        ProfileError::Unknown { known, .. } => Some(some_of(known)),
        ProfileError::Undecided { known, path } => {
            let file = path
                .as_ref()
                .map(|path| format!(" in {}", crate::types::quote::path(path)));
            Some(format!(
                "choose with `--profile`, or set the default{} with `cloudconnexa-auth use \
                 NAME`; {}",
                file.unwrap_or_default(),
                some_of(known)
            ))
        }
        ProfileError::Ambiguous { known, .. } => Some(format!(
            "choose with `--profile`, or set the default with `cloudconnexa-auth use NAME`; {}",
            some_of(known)
        )),
        ProfileError::Locked(_) => Some("try again when it has finished".into()),
        ProfileError::NoFile(_) => {
            Some("correct `--config` or CLOUDCONNEXA_AUTH_CONFIG, or create the file".into())
        }
        ProfileError::NoPlace => Some("set HOME, or name the file with `--config`".into()),
        _ => None,
    }
}

/// The first names of the profiles, few enough to read.
fn some_of(known: &[String]) -> String {
    let shown: Vec<String> = known
        .iter()
        .take(10)
        .map(|name| format!("`{name}`"))
        .collect();
    match known.len().saturating_sub(shown.len()) {
        0 if shown.len() == 1 => format!("the only profile is {}", shown.concat()),
        0 => format!("the profiles are {}", shown.join(", ")),
        more => format!("the profiles are {} and {more} more", shown.join(", ")),
    }
}
