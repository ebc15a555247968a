//! Who can keep a client secret on this machine.

use std::io;

use super::KEYCHAIN_LIMIT;
use crate::cli::UsageError;
use crate::commands::Context;
use crate::config::check_helper_name;
use crate::diagnostics::error::{Error, LoginError};
use crate::secret_source::{SourceError, answers};
use crate::system::clock::Deadline;
use crate::system::environment::Environment;

/// The helpers to try, in their order.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// `NAME` of each `docker-credential-NAME`.
    pub(super) helpers: Vec<String>,
    /// Whether a file will do where none of them does.
    pub(super) or_file: bool,
    /// What is wrong with those that are installed and are no candidates.
    pub(super) why_not: Vec<String>,
}

impl Candidates {
    /// The one that `--store` names; `None` where it is for us to find out.
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
        // Nobody shall answer questions in vain. One that is there and does not answer now may be
        // unlocked by the time it is needed.
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

    /// Those of this platform's keychains that answer.
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

/// The keychains of this platform that could be set up.
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

/// Whether there is a store of pass(1). Its helper answers as if there were, and then keeps nothing.
fn has_pass(environment: &Environment) -> bool {
    let usual = || Some(environment.home()?.join(".password-store"));
    let store = environment.path("PASSWORD_STORE_DIR").or_else(usual);
    store.is_some_and(|store| store.join(".gpg-id").is_file())
}
