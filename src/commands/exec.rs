//! `exec`: replaces this process with a program that has the token in its environment.

use std::ffi::{OsStr, OsString};
use std::path;
use std::process::{Command, ExitCode};

use zeroize::Zeroizing;

use super::Context;
use super::session::{Caller, Issued, Session};
use crate::cli::ExecOptions;
use crate::config::{ENVIRONMENT_PROFILE, Profile};
use crate::diagnostics::error::{Error, ExecError};
use crate::protocol::timestamp;
use crate::secret_source::SECRET_VARIABLE;
use crate::system::program;
use crate::types::quote::quote;
use crate::types::secret::Secret;
use crate::types::template::{Placeholder, Template};
use crate::types::token::AccessToken;

pub(super) fn run(context: &Context<'_>, options: &ExecOptions) -> Result<ExitCode, Error> {
    let templates: Vec<Template> = options
        .env
        .iter()
        .map(|text| Template::parse(text).map_err(ExecError::Template))
        .collect::<Result<_, _>>()?;
    let session = Session::open(context, Caller::Person)?;
    let profile = session.profile_or_refusal(options.uri.as_deref())?;
    let mut known = Known {
        profile,
        issued: None,
    };
    // Report a value that the profile does not have before requesting the secret or a token.
    for template in &templates {
        known.fill(template)?;
    }
    let secret = options
        .with_credentials
        .then(|| session.secret(profile))
        .transpose()?;
    let issued = session.obtain(profile)?;
    known.issued = Some(&issued);

    let program = &options.program;
    let command = program::command(program, context.environment);
    let mut command = command.map_err(|error| not_run(program, error))?;
    command.args(&options.arguments);
    let mut set = |name: &str, value: Option<&OsStr>| {
        // An inherited value may belong to another profile.
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    };
    for (name, placeholder) in [
        ("CLOUDCONNEXA_TOKEN", Placeholder::Token),
        ("CLOUDCONNEXA_BASE_URL", Placeholder::BaseUrl),
        ("CLOUDCONNEXA_CLOUD_ID", Placeholder::CloudId),
    ] {
        let value = known.value(placeholder);
        set(name, value.as_deref().map(OsStr::new));
    }
    // If the child calls this program, it must get the same profile. A profile that is defined by
    // environment variables is found by these variables, not by its name.
    let name = Some(profile.name.as_str()).filter(|name| *name != ENVIRONMENT_PROFILE);
    set("CLOUDCONNEXA_PROFILE", name.map(OsStr::new));
    if let Some(config) = &context.options.config {
        // The command may change its working directory first.
        let config = path::absolute(config).unwrap_or_else(|_| config.clone());
        set("CLOUDCONNEXA_AUTH_CONFIG", Some(config.as_os_str()));
    }
    let secret = secret.as_ref().map(Secret::expose);
    set(SECRET_VARIABLE, secret.map(OsStr::new));
    if secret.is_some() || profile.name != ENVIRONMENT_PROFILE {
        // Another client's ID and secret must not be sent to this profile's server.
        let client_id = secret.map(|_| OsStr::new(&profile.client.client_id));
        set("CLOUDCONNEXA_CLIENT_ID", client_id);
        set("CLOUDCONNEXA_CLIENT_SECRET_FILE", None);
    }
    for template in &templates {
        let value = known.fill(template)?;
        set(&template.name, Some(OsStr::new(value.as_str())));
    }
    become_it(command, &options.program)
}

/// The values for the child's environment. The values of a token that is not issued yet are empty.
struct Known<'a> {
    profile: &'a Profile,
    issued: Option<&'a Issued>,
}

impl Known<'_> {
    fn value(&self, placeholder: Placeholder) -> Option<Zeroizing<String>> {
        let token = self.issued.map(|issued| &issued.token.access_token);
        let token = token.map_or("", AccessToken::expose);
        let value = match placeholder {
            Placeholder::Token => token.to_owned(),
            Placeholder::Header => format!("Authorization: Bearer {token}"),
            Placeholder::BaseUrl => self.profile.base_url.as_ref()?.to_string(),
            Placeholder::CloudId => self.profile.tenant()?.to_owned(),
            Placeholder::ExpiresAt => self
                .issued
                .map(|issued| timestamp(issued.usable_until))
                .unwrap_or_default(),
        };
        Some(Zeroizing::new(value))
    }

    fn fill(&self, template: &Template) -> Result<Zeroizing<String>, ExecError> {
        let value = template.fill(|placeholder| self.value(placeholder));
        value.map_err(|placeholder| ExecError::NoValue {
            profile: self.profile.name.clone(),
            placeholder: placeholder.name(),
        })
    }
}

/// Replaces this process; exit code and signals are then those of the program (execve(2)).
#[cfg(unix)]
fn become_it(mut command: Command, program: &OsString) -> Result<ExitCode, Error> {
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    Err(not_run(program, error).into())
}

/// Starts a child process, because this platform cannot replace a process.
#[cfg(not(unix))]
fn become_it(mut command: Command, program: &OsString) -> Result<ExitCode, Error> {
    let status = command.status().map_err(|error| not_run(program, error))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

fn not_run(program: &OsString, error: std::io::Error) -> ExecError {
    ExecError::NotRun {
        program: quote(&program.to_string_lossy()),
        error,
    }
}
