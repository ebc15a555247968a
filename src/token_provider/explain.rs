//! Error messages for a missing token: the failure, its cause and a hint. No I/O.

use time::OffsetDateTime;

use super::ObtainError;
use crate::cache::{Cooldown, Reason};
use crate::config::Profile;
use crate::oauth::{ErrorClass, ErrorMessage, ExchangeError, Refusal, SetupError};
use crate::secret_source::SourceError;
use crate::system::file::ReadError;
use crate::types::diagnostic::Diagnostic;
use crate::types::duration::show;

/// A placeholder for the profile's name in messages that are stored in the cache. Profiles with the
/// same identity share an entry. A profile cannot have this name.
pub(super) const ANY_PROFILE: &str = "{profile}";

/// The end of a hint if `doctor` can find out more about the failure.
pub(crate) const SEE_DOCTOR: &str = "; `cloudconnexa-auth doctor` checks each step";

/// Explains why a profile has no token.
pub(crate) fn explain(error: &ObtainError, profile: &Profile, now: OffsetDateTime) -> Diagnostic {
    let name = &profile.name;
    match error {
        ObtainError::Exchange(failure) => explain_failure(failure, profile, name),
        ObtainError::CoolingDown(cooldown) => explain_cooldown(cooldown, name, now),
        ObtainError::Source(error) => explain_missing(error, name),
        ObtainError::SetUp(error) => Diagnostic {
            what: format!("the settings of profile `{name}` allow no token request"),
            cause: Some(error.to_string()),
            hint: Some(set_up_hint(error).to_owned()),
        },
        ObtainError::LockTimedOut { limit } if limit.is_zero() => Diagnostic {
            what: format!("another host looks for the next token of profile `{name}`"),
            cause: None,
            hint: None,
        },
        ObtainError::LockTimedOut { limit } => Diagnostic {
            what: format!(
                "another process did not finish its token request for profile `{name}` within {}",
                show(*limit)
            ),
            cause: None,
            hint: Some(
                "retry, or allow more time with `--timeout`; on a network file system set \
                 CLOUDCONNEXA_AUTH_CACHE_DIR to a local folder"
                    .to_owned(),
            ),
        },
        ObtainError::CacheUnwritable { folder, error } => Diagnostic {
            what: format!("the cache entry of profile `{name}` could not be written"),
            cause: Some(format!("`{}`: {error}", crate::types::quote::path(folder))),
            hint: Some("fix the folder, or delete its `.json` files".to_owned()),
        },
        ObtainError::LifeTooShort { life, wanted } => Diagnostic {
            what: format!(
                "no token of profile `{name}` lasts longer than the {} asked for",
                show(*wanted)
            ),
            cause: Some(format!(
                "the token endpoint gives tokens for {}",
                show(*life)
            )),
            hint: Some("ask for less with `--min-ttl`, or lower `min_ttl`".to_owned()),
        },
    }
}

/// Explains why there is no client secret.
pub(super) fn explain_missing(error: &SourceError, name: &str) -> Diagnostic {
    Diagnostic {
        what: format!("no client secret for profile `{name}`"),
        cause: Some(error.to_string()),
        hint: Some(source_hint(error)),
    }
}

/// Explains an exchange that has just failed.
///
/// `name` is the name of the profile, or [`ANY_PROFILE`] if the message is stored for other
/// profiles.
pub(super) fn explain_failure(
    failure: &ExchangeError,
    profile: &Profile,
    name: &str,
) -> Diagnostic {
    let url = profile.client.token_url.without_query();
    let from = |text: &str| format!("{text}, from {url}");
    match failure {
        ExchangeError::Refused {
            refusal,
            status,
            error_code,
            server_text,
        } => {
            let error = error_code
                .as_deref()
                .map(|error| format!(" {error}"))
                .unwrap_or_default();
            let refused = if *refusal == Refusal::Request {
                "the token endpoint refused the request"
            } else {
                "the token endpoint refused the credentials"
            };
            let told = server_text.as_deref().map(|text| format!("\"{text}\""));
            Diagnostic {
                what: format!("{refused} of profile `{name}` ({status}{error})"),
                cause: Some(from(told.as_deref().unwrap_or("no reason given"))),
                hint: Some(refusal_hint(*refusal, profile)),
            }
        }
        ExchangeError::RateLimited { pause } => Diagnostic {
            what: format!(
                "the token endpoint is rate limiting the credentials of profile `{name}` (429)"
            ),
            cause: Some(from(&match pause {
                Some(pause) => format!("it asks to wait {}", show(*pause)),
                None => "it does not say how long to wait; 15s is its usual pace".to_owned(),
            })),
            hint: Some(
                "retry after that; the limit is per credential, so give each team its own"
                    .to_owned(),
            ),
        },
        ExchangeError::ServerError { .. }
        | ExchangeError::InvalidResponse(_)
        | ExchangeError::Transport(_) => explain_message(failure.message(), &url, name),
    }
}

fn explain_message(message: ErrorMessage, url: &str, name: &str) -> Diagnostic {
    let ErrorMessage {
        class,
        reason,
        detail,
        hint,
    } = message;
    let detail = detail.map(|text| format!("{text} (for {url})"));
    match class {
        ErrorClass::Unavailable => Diagnostic {
            what: format!("the token endpoint of profile `{name}` is unavailable: {reason}"),
            cause: detail,
            hint: Some(format!(
                "retry; if it stays so, check the network, the proxy and the profile's \
                 `cloud_id` or `base_url`{SEE_DOCTOR}"
            )),
        },
        ErrorClass::TimedOut => Diagnostic {
            what: format!(
                "the token endpoint of profile `{name}` did not answer in time: {reason}"
            ),
            cause: None,
            hint: Some("retry, or allow more time with `--timeout`".to_owned()),
        },
        ErrorClass::Refused | ErrorClass::RateLimited | ErrorClass::Unusable => Diagnostic {
            what: format!("the token endpoint of profile `{name}` gave no token: {reason}"),
            cause: detail.or_else(|| Some(format!("the answer came from {url}"))),
            hint,
        },
    }
}

/// Returns the stored message of a cool-down, with this caller's name for the profile.
pub(crate) fn cooldown_message(cooldown: &Cooldown, name: &str) -> String {
    cooldown.message.replace(ANY_PROFILE, name)
}

fn explain_cooldown(cooldown: &Cooldown, name: &str, now: OffsetDateTime) -> Diagnostic {
    if cooldown.reason == Reason::NoSecret {
        return Diagnostic {
            what: cooldown_message(cooldown, name),
            cause: cooldown.cause.clone(),
            hint: cooldown.hint.clone(),
        };
    }
    let left = (cooldown.until - now)
        .try_into()
        .map(show)
        .unwrap_or_default();
    let pause = format!("no request is made for another {left} (`--refresh` makes one at once)");
    Diagnostic {
        what: cooldown_message(cooldown, name),
        cause: cooldown.cause.clone(),
        hint: Some(match &cooldown.hint {
            Some(hint) => format!("{pause}; {hint}"),
            None => pause,
        }),
    }
}

fn refusal_hint(refusal: Refusal, profile: &Profile) -> String {
    let switch = "API & Logs > API > Enable API";
    if let (Refusal::Credentials, Some(suffix)) = (refusal, profile.mismatched_suffix()) {
        let cloud_id = profile.cloud_id.as_deref().unwrap_or_default();
        return format!(
            "the client ID ends in `.{suffix}` but `cloud_id` is `{cloud_id}`: it must be given \
             whole and belong to this tenant"
        );
    }
    match refusal {
        Refusal::Credentials => format!(
            "check the client ID and the secret; API access may be off ({switch}) or the \
             credential expired{SEE_DOCTOR}"
        ),
        Refusal::ApiDisabled => format!("switch it on in the Administration portal: {switch}"),
        Refusal::SourceAddress => "the credential is for other source subnets: add this machine's \
             public address to it in the portal, or make one without subnets"
            .to_owned(),
        Refusal::Expired => "make new API credentials in the portal and save them with \
             `cloudconnexa-auth login`"
            .to_owned(),
        Refusal::Request => "check `auth_method`, `scope` and `audience` of the profile".to_owned(),
        Refusal::Forbidden => format!(
            "API access may be off ({switch}), the credential may be for other source subnets, or \
             it may have expired"
        ),
    }
}

fn source_hint(error: &SourceError) -> String {
    let login = "`cloudconnexa-auth login`";
    match error {
        SourceError::VariableMissing(name) => {
            format!("export {name}, or choose another source for `client_secret`")
        }
        SourceError::File {
            path,
            error: ReadError::Exposed { .. },
        } => {
            let path = crate::types::quote::path(path).replace('\'', "'\\''");
            format!("run `chmod 600 '{path}'`")
        }
        SourceError::File {
            error: ReadError::Missing,
            ..
        } => {
            format!("save it with {login}, or correct `client_secret`")
        }
        SourceError::File { .. } | SourceError::Unusable { .. } => {
            format!("correct what stands there, or save the secret anew with {login}")
        }
        SourceError::NoCredentialsFolder(name) | SourceError::NoCredential(name) => {
            format!("run as a systemd service with `LoadCredential={name}:…`")
        }
        error if error.is_exhaustion() => {
            "retry; if it stays so, raise the limit of processes or memory (`ulimit -u`, `ulimit -v`)"
                .to_owned()
        }
        SourceError::NotStarted { .. } => {
            "install it, or correct `client_secret`; the program is looked up in the absolute directories of PATH".to_owned()
        }
        SourceError::ProgramFailed { .. } | SourceError::NotErased { .. } => {
            "run it by hand to see what is wrong; a locked vault has to be unlocked first"
                .to_owned()
        }
        SourceError::TimedOut { .. } => {
            "a locked vault or an unanswered prompt waits for ever; see `--timeout`".to_owned()
        }
        SourceError::HelperHasNone { program, server }
        | SourceError::HelperHasAnother { program, server } => {
            format!("save it under `{server}` with `{program} store`, the client ID as user name")
        }
    }
}

fn set_up_hint(error: &SetupError) -> &'static str {
    match error {
        SetupError::Roots(_) => "correct `ca_file`: a file of PEM certificates",
        SetupError::Proxy(_) => {
            "write it as `http://HOST:PORT` or `http://USER:PASSWORD@HOST:PORT`"
        }
    }
}
