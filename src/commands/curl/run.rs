//! curl as a process: what it is given, and what becomes of what it says.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use zeroize::Zeroizing;

use crate::curl::Arguments;
use crate::diagnostics::error::{CurlError, Error};
use crate::diagnostics::reporter::Reporter;
use crate::system::environment::Environment;
use crate::system::{program, stdout};
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
    /// The profile's root certificates.
    pub(super) ca_file: Option<&'a Path>,
    /// The variables of this process.
    pub(super) environment: &'a Environment,
}

/// How curl ended.
pub(super) struct Ended {
    /// Its own code.
    pub(super) code: ExitCode,
    /// The last response was a 401 of the URL's own server.
    pub(super) is_refused: bool,
    /// That response, if it is held back.
    pub(super) held: Option<Held>,
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
    fn command(&self, config: &str) -> io::Result<Command> {
        let is_plain = self.url.origin().scheme() == Scheme::Http;
        let protocols = if is_plain { "=http,https" } else { "=https" };
        let mut command = program::command(OsStr::new("curl"), self.environment)?;
        command
            .args(["--disable", "--config", config, "--globoff"])
            .args(["--proto", protocols, "--proto-redir", protocols])
            .args(["--url", &self.url.to_string()])
            // curl would write the keys of the TLS session there.
            .env_remove("SSLKEYLOGFILE");
        if let Some(file) = self.ca_file {
            command.arg("--cacert").arg(file);
        }
        if is_plain {
            for name in ["http_proxy", "all_proxy", "ALL_PROXY"] {
                command.env_remove(name);
            }
        }
        Ok(command)
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
