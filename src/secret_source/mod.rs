//! The sources of a client secret: a variable, a file, a systemd credential, a program, or a docker
//! credential helper such as the one of the desktop's keychain.
//!
//! The secret is never passed on a command line, and no child process inherits the variable
//! `CLOUDCONNEXA_CLIENT_SECRET`.

#[cfg(target_os = "linux")]
mod descendants;
mod docker_helper;
mod program;
mod store;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::system::clock::{Clock, Deadline};
use crate::system::environment::Environment;
use crate::system::file;
use crate::types::quote::quote;
use crate::types::secret::Secret;

use program::Stderr;

pub(crate) use crate::system::program::SECRET_VARIABLE;
#[cfg(feature = "shared-store")]
pub(crate) use crate::system::program::STORE_PASSWORD_VARIABLE;
pub(crate) use docker_helper::{HelperEntry, answers};
pub(crate) use program::Launcher;

/// The maximum size of a secret, in bytes, including its trailing newline.
const LONGEST: u64 = 64 * 1024;

/// The maximum size of a secret that a user enters, in bytes. With the JSON around it, it fits into
/// the pipe to a helper.
pub(crate) const LONGEST_GIVEN: usize = 4096;

/// A source of a client secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// An environment variable, by name.
    Variable(String),
    /// A file, by path.
    File(PathBuf),
    /// `$CREDENTIALS_DIRECTORY/NAME` (systemd.exec(5), `LoadCredential=`).
    SystemdCredential(String),
    /// The output of a program, which is started without a shell. Never empty.
    Command(Vec<String>),
    /// The response of `docker-credential-NAME get`.
    DockerHelper(HelperEntry),
}

/// The reasons why a secret cannot be read or stored. The user must fix the cause; a retry helps
/// only after [`SourceError::TimedOut`].
#[derive(Debug, Error)]
pub(crate) enum SourceError {
    /// The variable is not set or empty.
    #[error("the environment variable `{0}` is not set")]
    VariableMissing(String),
    /// The file cannot be used.
    #[error(
        "the secret file `{}` cannot be used: {error}",
        crate::types::quote::path(path)
    )]
    File {
        path: PathBuf,
        error: file::ReadError,
    },
    /// The process was not started as a systemd service with credentials.
    #[error("`CREDENTIALS_DIRECTORY` is not set, so there is no systemd credential `{0}`")]
    NoCredentialsFolder(String),
    /// systemd provides no credential of that name.
    #[error("there is no systemd credential `{0}`")]
    NoCredential(String),
    /// The program does not exist or could not be started.
    #[error("`{program}` could not be started: {error}")]
    NotStarted {
        /// The name of the program.
        program: String,
        /// The error of the system.
        error: io::Error,
    },
    /// The program failed.
    #[error("`{program}` failed: {status}")]
    ProgramFailed {
        /// The name of the program.
        program: String,
        /// The exit code or signal, and the message of a program that writes its errors to stdout.
        status: String,
    },
    /// The program did not answer in time.
    #[error("`{program}` gave no answer within {}", crate::types::duration::show(*limit))]
    TimedOut {
        /// The name of the program.
        program: String,
        /// The time limit.
        limit: Duration,
    },
    /// The credential helper has no entry of that name.
    #[error("`{program}` holds no secret under `{server}`")]
    HelperHasNone {
        /// The name of the helper.
        program: String,
        /// The requested entry.
        server: String,
    },
    /// The entry of the credential helper has another client ID.
    #[error("`{program}` holds the secret of another client ID under `{server}`")]
    HelperHasAnother {
        /// The name of the helper.
        program: String,
        /// The requested entry.
        server: String,
    },
    /// The credential helper was asked to erase an entry but still has it.
    #[error("`{program}` still holds the secret under `{server}`")]
    NotErased {
        /// The name of the helper.
        program: String,
        /// The name of the entry.
        server: String,
    },
    /// The content is not a valid secret.
    #[error("{place} {reason}")]
    Unusable {
        /// The source of the content.
        place: String,
        /// The problem; never the content itself.
        reason: &'static str,
    },
}

impl SourceError {
    /// Whether the system had too few processes, threads or memory to start the program.
    pub(crate) fn is_exhaustion(&self) -> bool {
        use io::ErrorKind::{OutOfMemory, WouldBlock};
        matches!(self, Self::NotStarted { error, .. } if matches!(error.kind(), WouldBlock | OutOfMemory))
    }

    /// Whether the source holds no secret at all.
    pub(crate) fn is_absence(&self) -> bool {
        let is_missing = |error: &_| matches!(error, file::ReadError::Missing);
        match self {
            Self::File { error, .. } => is_missing(error),
            Self::HelperHasNone { .. } => true,
            _ => false,
        }
    }
}

impl Source {
    /// Reads the secret if the read is cheap and has no side effects, else returns `None`. Every
    /// call does this, to detect that the secret has changed.
    pub(crate) fn read_cheap(
        &self,
        environment: &Environment,
    ) -> Option<Result<Secret, SourceError>> {
        match self {
            Self::Variable(name) => Some(read_variable(name, environment)),
            Self::File(path) => Some(read_file(path, file::Trust::Secret)),
            Self::SystemdCredential(name) => Some(read_credential(name, environment)),
            Self::Command(_) | Self::DockerHelper(_) => None,
        }
    }

    /// Returns the variable that holds the secret; child processes do not inherit it.
    pub(crate) fn variable(&self) -> Option<&str> {
        match self {
            Self::Variable(name) => Some(name),
            _ => None,
        }
    }

    /// Whether the source runs a program.
    pub(crate) fn is_program(&self) -> bool {
        matches!(self, Self::Command(_) | Self::DockerHelper(_))
    }

    /// Reads the secret. A program must answer before `deadline`.
    pub(crate) fn read(
        &self,
        environment: &Environment,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<Secret, SourceError> {
        let launcher = Launcher {
            environment,
            clock,
            deadline,
        };
        match self {
            Self::Variable(name) => read_variable(name, environment),
            Self::File(path) => read_file(path, file::Trust::Secret),
            Self::SystemdCredential(name) => read_credential(name, environment),
            Self::Command(words) => {
                let (program, arguments) = words.split_first().ok_or(SourceError::Unusable {
                    place: "the command".to_owned(),
                    reason: "is empty",
                })?;
                let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
                let output = program::run(program, &arguments, None, Stderr::Shown, launcher)?;
                if !output.status.success() {
                    return Err(output.failure(program));
                }
                usable(output.stdout, || format!("the output of `{program}`"))
            }
            Self::DockerHelper(entry) => docker_helper::get(entry, launcher),
        }
    }

    /// Writes `secret` to the file at `path` with mode 0600, and replaces an existing file.
    pub(crate) fn store_file(
        path: &Path,
        secret: &Secret,
        guard: &file::Guard,
    ) -> Result<(), SourceError> {
        store::put(path, secret, guard)
    }

    /// Stores `secret` in the helper, which must be able to return it.
    pub(crate) fn store_in_helper(
        entry: &HelperEntry,
        secret: &Secret,
        launcher: Launcher<'_>,
    ) -> Result<(), SourceError> {
        docker_helper::put(entry, secret, launcher)
    }

    /// Removes a stored secret: the file, or the helper's entry. A missing one is not an error. The
    /// other sources hold nothing that this program could remove.
    pub(crate) fn remove(&self, launcher: Launcher<'_>) -> Result<(), SourceError> {
        match self {
            Self::File(path) => store::remove(path),
            Self::DockerHelper(entry) => docker_helper::erase(entry, launcher),
            Self::Variable(_) | Self::SystemdCredential(_) | Self::Command(_) => Ok(()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
            Self::File(path) => write!(formatter, "file {}", crate::types::quote::path(path)),
            Self::SystemdCredential(name) => write!(formatter, "systemd credential {name}"),
            Self::Command(words) => {
                let program = words.first().map_or("", String::as_str);
                write!(formatter, "command {}", quote(program))
            }
            Self::DockerHelper(entry) => write!(formatter, "{}", entry.program()),
        }
    }
}

fn read_variable(name: &str, environment: &Environment) -> Result<Secret, SourceError> {
    let missing = || SourceError::VariableMissing(name.to_owned());
    let value = environment.raw(name).ok_or_else(missing)?;
    let place = || format!("the variable `{name}`");
    let text = value.into_string().map_err(|_| SourceError::Unusable {
        place: place(),
        reason: "is not UTF-8 text",
    })?;
    usable(Zeroizing::new(text.into_bytes()), place)
}

fn read_credential(name: &str, environment: &Environment) -> Result<Secret, SourceError> {
    let folder = environment
        .path("CREDENTIALS_DIRECTORY")
        .ok_or_else(|| SourceError::NoCredentialsFolder(name.to_owned()))?;
    // systemd protects the directory; the mode of the file itself shows an ACL mask.
    match read_file(&folder.join(name), file::Trust::Anything) {
        Err(SourceError::File {
            error: file::ReadError::Missing,
            ..
        }) => Err(SourceError::NoCredential(name.to_owned())),
        other => other,
    }
}

fn read_file(path: &Path, trust: file::Trust) -> Result<Secret, SourceError> {
    let bytes = file::read(path, LONGEST, trust).map_err(|error| SourceError::File {
        path: path.to_owned(),
        error,
    })?;
    usable(bytes, || {
        format!("the secret file `{}`", crate::types::quote::path(path))
    })
}

/// Validates a secret that a user entered or that came from a pipe.
pub(crate) fn given(bytes: Zeroizing<Vec<u8>>) -> Result<Secret, SourceError> {
    if bytes.len() > LONGEST_GIVEN {
        return Err(SourceError::Unusable {
            place: "the client secret".to_owned(),
            reason: "is longer than 4 KiB",
        });
    }
    usable(bytes, || "the client secret".to_owned())
}

/// Converts bytes to a secret: UTF-8, one line, not empty, without the trailing newline.
fn usable(bytes: Zeroizing<Vec<u8>>, place: impl Fn() -> String) -> Result<Secret, SourceError> {
    let unusable = |reason| SourceError::Unusable {
        place: place(),
        reason,
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable("is not UTF-8 text"))?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(unusable("is empty"));
    }
    if line.starts_with('\u{feff}') {
        return Err(unusable(
            "begins with a byte order mark; save it as plain UTF-8",
        ));
    }
    if line.chars().any(char::is_control) {
        return Err(unusable("holds more than one line, or a control character"));
    }
    Ok(Secret::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::usable;

    fn read(bytes: &[u8]) -> Option<String> {
        let secret = usable(Zeroizing::new(bytes.to_vec()), || "the test".to_owned());
        secret.ok().map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn one_trailing_newline_is_not_part_of_a_secret() {
        assert_eq!(read(b"s3cret\n").as_deref(), Some("s3cret"));
        assert_eq!(read(b"s3cret\r\n").as_deref(), Some("s3cret"));
        assert_eq!(
            read(b" s3cret ").as_deref(),
            Some(" s3cret "),
            "spaces may be part of the secret"
        );
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused() {
        for bytes in [
            &b""[..],
            b"\n",
            b"one\ntwo\n",
            b"s3cret\n\n",
            b"a\0b",
            b"\xff\xfe",
        ] {
            assert_eq!(read(bytes), None, "{bytes:?}");
        }
    }
}
