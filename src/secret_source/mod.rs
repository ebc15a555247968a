//! Where a client secret comes from: a variable, a file, a systemd credential, a program, or a
//! docker credential helper such as the desktop's keychain.
//!
//! The secret is never given on a command line, and no child process inherits the variable
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

/// The largest secret that is read, in bytes, its trailing newline included.
const LONGEST: u64 = 64 * 1024;

/// The largest secret that is taken from a person, in bytes; JSON around it still fits into the
/// pipe to a helper.
pub(crate) const LONGEST_GIVEN: usize = 4096;

/// A place that holds a client secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The environment variable of that name.
    Variable(String),
    /// The file at that path.
    File(PathBuf),
    /// `$CREDENTIALS_DIRECTORY/NAME` (systemd.exec(5), `LoadCredential=`).
    SystemdCredential(String),
    /// What that program prints, run without a shell. Never empty.
    Command(Vec<String>),
    /// What `docker-credential-NAME get` answers.
    DockerHelper(HelperEntry),
}

/// Why there is no secret. Mend it; a retry does not help, but for [`SourceError::TimedOut`].
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
        /// Which file.
        path: PathBuf,
        /// Why not.
        error: file::ReadError,
    },
    /// Not started as a systemd service with credentials.
    #[error("`CREDENTIALS_DIRECTORY` is not set, so there is no systemd credential `{0}`")]
    NoCredentialsFolder(String),
    /// systemd gave no credential of that name.
    #[error("there is no systemd credential `{0}`")]
    NoCredential(String),
    /// The program is not there or could not be started.
    #[error("`{program}` could not be started: {error}")]
    NotStarted {
        /// Its name.
        program: String,
        /// What the system said.
        error: io::Error,
    },
    /// The program ended badly.
    #[error("`{program}` failed: {status}")]
    ProgramFailed {
        /// Its name.
        program: String,
        /// Its exit code or signal, and what it said where it says it on stdout.
        status: String,
    },
    /// The program did not answer in time.
    #[error("`{program}` gave no answer within {}", crate::types::duration::show(*limit))]
    TimedOut {
        /// Its name.
        program: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The credential helper has nothing under that name.
    #[error("`{program}` holds no secret under `{server}`")]
    HelperHasNone {
        /// The helper.
        program: String,
        /// The name that was asked for.
        server: String,
    },
    /// The credential helper has a secret of another client.
    #[error("`{program}` holds the secret of another client ID under `{server}`")]
    HelperHasAnother {
        /// The helper.
        program: String,
        /// The name that was asked for.
        server: String,
    },
    /// The credential helper was asked to erase an entry, and has it still.
    #[error("`{program}` still holds the secret under `{server}`")]
    NotErased {
        /// The helper.
        program: String,
        /// The entry's name.
        server: String,
    },
    /// What was read is no secret.
    #[error("{place} {reason}")]
    Unusable {
        /// Where it was read.
        place: String,
        /// What is wrong with it; never the text itself.
        reason: &'static str,
    },
}

impl SourceError {
    /// Whether the system had no process, thread or memory left to start the program.
    pub(crate) fn is_exhaustion(&self) -> bool {
        use io::ErrorKind::{OutOfMemory, WouldBlock};
        matches!(self, Self::NotStarted { error, .. } if matches!(error.kind(), WouldBlock | OutOfMemory))
    }

    /// Whether there is nothing at all where the secret would be.
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
    /// Reads the secret where that costs next to nothing and disturbs nobody, else `None`; it is
    /// done on every call, just to notice that the secret has changed.
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

    /// The variable that holds the secret, which is nobody else's to see.
    pub(crate) fn variable(&self) -> Option<&str> {
        match self {
            Self::Variable(name) => Some(name),
            _ => None,
        }
    }

    /// Whether it is a program that gives the secret.
    pub(crate) fn is_program(&self) -> bool {
        matches!(self, Self::Command(_) | Self::DockerHelper(_))
    }

    /// Reads the secret; a program has until `deadline` to answer.
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

    /// Keeps `secret` in the file at `path`, 0600, in the place of what stood there.
    pub(crate) fn store_file(
        path: &Path,
        secret: &Secret,
        guard: &file::Guard,
    ) -> Result<(), SourceError> {
        store::put(path, secret, guard)
    }

    /// Gives `secret` to the helper, which must give it back.
    pub(crate) fn store_in_helper(
        entry: &HelperEntry,
        secret: &Secret,
        launcher: Launcher<'_>,
    ) -> Result<(), SourceError> {
        docker_helper::put(entry, secret, launcher)
    }

    /// Takes a stored secret away: the file, or the helper's entry. What is gone already is no
    /// error, and the other sources keep nothing that this program could remove.
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
    // systemd guards the folder; the file's own mode shows an ACL mask.
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

/// What a person or a pipe gave as a secret.
pub(crate) fn given(bytes: Zeroizing<Vec<u8>>) -> Result<Secret, SourceError> {
    if bytes.len() > LONGEST_GIVEN {
        return Err(SourceError::Unusable {
            place: "the client secret".to_owned(),
            reason: "is longer than 4 KiB",
        });
    }
    usable(bytes, || "the client secret".to_owned())
}

/// Bytes as a secret: UTF-8, one line, its newline taken off, not empty.
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
            "spaces may belong to it"
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
