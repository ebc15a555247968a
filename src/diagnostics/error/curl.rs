//! The errors of `curl`, other than token errors and errors that curl itself reports.

use std::io;

use super::Code;
use crate::curl::ArgumentError;
use crate::types::diagnostic::Diagnostic;
use crate::types::uri::UriError;

/// Why curl was not started.
#[derive(Debug)]
pub(crate) enum CurlError {
    /// The path cannot be appended to a base URL.
    Path(UriError),
    /// The argument is neither a path nor a URL.
    NoSlash,
    /// The profile has no base URL for a path.
    NoBaseUrl {
        /// The profile without a base URL.
        profile: String,
    },
    /// curl's arguments contain an option that cannot be used with a token.
    Arguments(ArgumentError),
    /// The system could not start curl.
    NotRun(io::Error),
}

impl CurlError {
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Path(_) | Self::NoSlash | Self::Arguments(_) => Code::Usage,
            Self::NoBaseUrl { .. } => Code::NotSetUp,
            Self::NotRun(error) if error.kind() == io::ErrorKind::NotFound => Code::NoCommand,
            Self::NotRun(_) => Code::NotStarted,
        }
    }

    pub(super) fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Path(error) => Diagnostic {
                what: "`curl`: this path cannot be put behind a URL".into(),
                cause: Some(error.to_string()),
                hint: Some("percent-encode it".into()),
            },
            Self::NoSlash => Diagnostic {
                what: "`curl`: the argument is neither a URL nor a path that starts with `/`"
                    .into(),
                cause: None,
                hint: Some(
                    "a path begins with `/`, as `/api/v1/networks`; a URL with `https://`".into(),
                ),
            },
            Self::NoBaseUrl { profile } => Diagnostic {
                what: format!("`curl`: profile `{profile}` has no base URL to put a path behind"),
                cause: None,
                hint: Some(
                    "give the profile a `cloud_id` or a `base_url`, or write the whole URL".into(),
                ),
            },
            Self::Arguments(error) => Diagnostic {
                what: format!("`curl`: {error}"),
                cause: None,
                hint: Some(match error {
                    ArgumentError::FurtherUrl => {
                        "one PATH or URL to a call, before curl's own options".into()
                    }
                    ArgumentError::Unknown(_) => "write it in full; `--allow-option NAME` before \
                        the path accepts an option of a newer curl, at your own risk"
                        .into(),
                    ArgumentError::TrustWithRouting { .. } => {
                        "set `ca_file` in the profile to the CA of its own server".into()
                    }
                    ArgumentError::Refused {
                        flag: "insecure", ..
                    } => "name the CA to trust with `--cacert FILE`".into(),
                    _ => "see `cloudconnexa-auth curl --help`".into(),
                }),
            },
            Self::NotRun(error) => Diagnostic {
                what: "`curl` could not be started".into(),
                cause: Some(error.to_string()),
                hint: (error.kind() == io::ErrorKind::NotFound)
                    .then(|| "install curl, or put it on PATH".into()),
            },
        }
    }
}
