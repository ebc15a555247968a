//! Finds the secret backends that can store a client secret on this machine.

use std::io;

use super::KEYCHAIN_LIMIT;
use crate::cli::UsageError;
use crate::commands::Context;
use crate::config::check_helper_name;
use crate::diagnostics::error::{Error, LoginError};
use crate::secret_source::{SourceError, answers};
use crate::system::clock::Deadline;
use crate::system::environment::Environment;

/// The credential helpers to try, in order.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// `NAME` of each `docker-credential-NAME`.
    pub(super) helpers: Vec<String>,
    /// Whether to use a file if none of the helpers works.
    pub(super) or_file: bool,
    /// Why other installed helpers cannot be used.
    pub(super) why_not: Vec<String>,
}

impl Candidates {
    /// The helper of `--store`; `None` if `login` chooses one itself.
    pub(super) fn chosen(
        context: &Context<'_>,
        store: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        let Some(name) = store else {
            return Ok(None);
        };
        if name == "file" {
            let or_file = true;
            return Ok(Some(Self {
                or_file,
                ..Self::default()
            }));
        }
        check_helper_name(name).map_err(|problem| UsageError::BadValue {
            flag: "--store".to_owned(),
            problem: problem.replace("`docker_helper`", "it"),
        })?;
        // Fail before the first question if the helper is missing. A helper that exists but does
        // not respond now may be unlocked by the time it is needed.
        let deadline = Deadline::from_now(context.clock, KEYCHAIN_LIMIT);
        if let Err(error @ SourceError::NotStarted { .. }) =
            answers(name, context.launcher(deadline))
        {
            let program = format!("docker-credential-{name}");
            return Err(LoginError::SecretBackend { program, error }.into());
        }
        let helpers = vec![name.to_owned()];
        Ok(Some(Self {
            helpers,
            ..Self::default()
        }))
    }

    /// The keychains of this platform that respond.
    pub(super) fn found(context: &Context<'_>) -> Self {
        let mut found = Self {
            or_file: true,
            ..Self::default()
        };
        for name in keychains(context.environment) {
            let deadline = Deadline::from_now(context.clock, KEYCHAIN_LIMIT);
            let doing = format!("looking for docker-credential-{name}");
            let _wait = context.report.progress(&doing);
            match answers(name, context.launcher(deadline)) {
                Ok(()) => found.helpers.push(name.to_owned()),
                Err(SourceError::NotStarted { error, .. })
                    if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => found.why_not.push(error.to_string()),
            }
        }
        found
    }
}

/// The keychains that may exist on this platform.
fn keychains(environment: &Environment) -> Vec<&'static str> {
    if cfg!(target_os = "macos") {
        vec!["osxkeychain"]
    } else if cfg!(windows) {
        vec!["wincred"]
    } else if has_pass(environment) {
        vec!["secretservice", "pass"]
    } else {
        vec!["secretservice"]
    }
}

/// Whether pass(1) has a store. Without one its helper still responds, but stores nothing.
fn has_pass(environment: &Environment) -> bool {
    let usual = || Some(environment.home()?.join(".password-store"));
    let store = environment.path("PASSWORD_STORE_DIR").or_else(usual);
    store.is_some_and(|store| store.join(".gpg-id").is_file())
}
