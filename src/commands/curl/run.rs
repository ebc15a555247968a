//! curl as a process: what it is given, and what becomes of what it says.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::{Command, ExitCode, ExitStatus};

use zeroize::Zeroizing;

use crate::curl::Arguments;
use crate::diagnostics::error::{CurlError, Error};
use crate::diagnostics::reporter::Reporter;
use crate::secret_source::{SECRET_VARIABLE, STORE_PASSWORD_VARIABLE};
use crate::system::stdout;
use crate::types::secret::{Secret, joined};
use crate::types::token::AccessToken;
use crate::types::uri::{Scheme, Uri};

#[cfg(unix)]
#[path = "unix.rs"]
mod system;

#[cfg(not(unix))]
#[path = "other.rs"]
mod system;

/// A request.
pub(super) struct Call<'a> {
    /// Where to.
    pub(super) url: &'a Uri,
    /// curl's own arguments, as they were given.
    pub(super) arguments: &'a [OsString],
    /// What they mean.
    pub(super) asked: &'a Arguments,
    /// The variables that hold the profile's secrets.
    pub(super) secret_variables: Vec<&'a str>,
}

/// How curl ended.
pub(super) struct Ended {
    /// Its own code.
    pub(super) code: ExitCode,
    /// What it said, where that was a 401 and is held back.
    pub(super) refusal: Option<Held>,
}

/// What curl said and nobody has seen yet.
#[derive(Default)]
pub(super) struct Held {
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Held {
    /// Shows it. Nobody can be told that stdout is closed.
    pub(super) fn release(&self, stdout: &mut dyn Write) {
        drop(stdout::print(stdout, &self.out));
        Reporter::pass_on(&self.err);
    }
}

impl Call<'_> {
    /// curl with what has to be in front of the caller's own arguments: its configuration comes
    /// from the descriptor or stream that `config` names, and from there alone (`--disable`).
    fn command(&self, config: &str) -> Command {
        let is_plain = self.url.origin().scheme() == Scheme::Http;
        let protocols = if is_plain { "=http,https" } else { "=https" };
        let mut command = Command::new("curl");
        command
            .args(["--disable", "--config", config, "--globoff"])
            .args(["--proto", protocols, "--proto-redir", protocols])
            .args(["--url", &self.url.to_string()])
            .env_remove(SECRET_VARIABLE)
            .env_remove(STORE_PASSWORD_VARIABLE)
            .env_remove("CLOUDCONNEXA_TOKEN");
        for name in &self.secret_variables {
            command.env_remove(name);
        }
        if is_plain {
            for name in ["http_proxy", "all_proxy", "ALL_PROXY"] {
                command.env_remove(name);
            }
        }
        command
    }
}

/// The configuration that gives curl the token.
fn config(token: &AccessToken) -> Zeroizing<String> {
    joined(&["header = \"Authorization: Bearer ", token.expose(), "\"\n"])
}

fn secret(token: &AccessToken) -> Secret {
    Secret::new(token.expose().to_owned())
}

fn not_run(error: io::Error) -> Error {
    CurlError::NotRun(error).into()
}

/// curl's code; where a signal ended it, the one that a shell tells.
fn code_of(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    let by_signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let by_signal: Option<i32> = None;
    let code = status
        .code()
        .or(by_signal.map(|signal| signal.saturating_add(128)));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
