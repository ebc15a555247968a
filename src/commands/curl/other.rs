//! curl on platforms without inherited descriptors. The token is passed through stdin, so the
//! caller's arguments cannot use stdin. A refused request is not repeated.

use std::io::{Read as _, Write};
use std::process::{Child, Stdio};

use super::{Call, Ended, code_of, config, not_run, secret};
use crate::curl::Redactor;
use crate::diagnostics::error::Error;
use crate::diagnostics::reporter::Reporter;
use crate::types::token::AccessToken;

impl Call<'_> {
    /// Runs curl. A 401 is not detected here, so nothing is held back.
    pub(in super::super) fn run(
        &self,
        token: &AccessToken,
        _holds_back: bool,
        _stdout: &mut dyn Write,
    ) -> Result<Ended, Error> {
        let mut command = self.command("-").map_err(not_run)?;
        command.args(self.arguments).stdin(Stdio::piped());
        if self.asked.is_verbose {
            command.stderr(Stdio::piped());
        }
        let mut child = command.spawn().map_err(not_run)?;
        if let Some(mut stdin) = child.stdin.take() {
            // If curl has ended, the pipe is closed; its exit code is reported below.
            drop(stdin.write_all(config(token).as_bytes()));
        }
        show_stderr(&mut child, token);
        Ok(Ended {
            code: code_of(child.wait().map_err(not_run)?),
            is_refused: false,
            held: None,
        })
    }
}

fn show_stderr(child: &mut Child, token: &AccessToken) {
    let Some(mut stderr) = child.stderr.take() else {
        return;
    };
    let mut redactor = Redactor::new(secret(token));
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = stderr.read(&mut chunk) {
        Reporter::pass_on(&redactor.pass(chunk.get(..count).unwrap_or_default()));
    }
    Reporter::pass_on(&redactor.end());
}
