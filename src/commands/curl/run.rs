//! curl as a process: its arguments, its configuration and its output.

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

/// One request with curl.
pub(super) struct Call<'a> {
    pub(super) url: &'a Uri,
    /// The arguments for curl, unchanged.
    pub(super) arguments: &'a [OsString],
    /// The parsed arguments.
    pub(super) asked: &'a Arguments,
    /// The profile's root certificates.
    pub(super) ca_file: Option<&'a Path>,
    pub(super) environment: &'a Environment,
}

/// The result of a curl process.
pub(super) struct Ended {
    /// curl's exit code.
    pub(super) code: ExitCode,
    /// The last response was a 401 of the URL's own server.
    pub(super) is_refused: bool,
    /// That response, if it was held back.
    pub(super) held: Option<Held>,
}

/// Output of curl that is not printed yet.
#[derive(Default)]
pub(super) struct Held {
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Held {
    /// Prints the output. A closed stdout cannot be reported.
    pub(super) fn release(&self, stdout: &mut dyn Write) {
        drop(stdout::print(stdout, &self.out));
        Reporter::pass_on(&self.err);
    }
}

impl Call<'_> {
    /// curl with the options that must precede the caller's own. Its configuration comes only from
    /// the descriptor or stream that `config` names (`--disable`).
    fn command(&self, config: &str) -> io::Result<Command> {
        let is_plain = self.url.origin().scheme() == Scheme::Http;
        let protocols = if is_plain { "=http,https" } else { "=https" };
        let mut command = program::command(OsStr::new("curl"), self.environment)?;
        command
            .args(["--disable", "--config", config, "--globoff"])
            .args(["--proto", protocols, "--proto-redir", protocols])
            .args(["--url", &self.url.to_string()])
            // curl would write the keys of the TLS session to this file.
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

/// The configuration that passes the token to curl.
fn config(token: &AccessToken) -> Zeroizing<String> {
    joined(&["header = \"Authorization: Bearer ", token.expose(), "\"\n"])
}

fn secret(token: &AccessToken) -> Secret {
    Secret::new(token.expose().to_owned())
}

fn not_run(error: io::Error) -> Error {
    CurlError::NotRun(error).into()
}

/// curl's exit code. After a signal, the code that a shell would report.
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
