//! curl where no descriptor can be handed on: the token comes through stdin, which the caller's
//! own arguments therefore cannot use; there is no second try.

use std::io::{Read as _, Write};
use std::process::{Child, ExitCode, Stdio};

use super::{Call, Ended, code_of, config, not_run, secret};
use crate::curl::Redactor;
use crate::diagnostics::error::Error;
use crate::diagnostics::reporter::Reporter;
use crate::types::token::AccessToken;

impl Call<'_> {
    /// Runs curl, come what may.
    pub(in super::super) fn once(
        &self,
        token: &AccessToken,
        _stdout: &mut dyn Write,
    ) -> Result<ExitCode, Error> {
        let mut command = self.command("-");
        command.args(self.arguments).stdin(Stdio::piped());
        if self.asked.is_verbose {
            command.stderr(Stdio::piped());
        }
        let mut child = command.spawn().map_err(not_run)?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that has ended already wants no token.
            drop(stdin.write_all(config(token).as_bytes()));
        }
        show_stderr(&mut child, token);
        Ok(code_of(child.wait().map_err(not_run)?))
    }

    /// The same: nothing is held back here.
    pub(in super::super) fn held_back(
        &self,
        token: &AccessToken,
        stdout: &mut dyn Write,
    ) -> Result<Ended, Error> {
        let code = self.once(token, stdout)?;
        Ok(Ended {
            code,
            refusal: None,
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
