//! The checks of the configuration: the file and its permissions, the profile, the client ID, the
//! secret, and the lifetime of the credential.

use std::path::Path;

use super::Case;
use super::finding::Finding;
use crate::commands::Context;
use crate::commands::session::{Caller, Session};
use crate::config::{ENVIRONMENT_PROFILE, Profile, days_left, lifetime_warning};
use crate::diagnostics::error::code_of;
use crate::system::file::FileStatus;
use crate::token_provider::{ObtainError, explain};
use crate::types::secret::Secret;

pub(super) fn configuration<'a>(
    context: &'a Context<'a>,
    findings: &mut Vec<Finding>,
) -> Option<Session<'a>> {
    const NAME: &str = "configuration";
    let session = match Session::open(context, Caller::Person) {
        Ok(session) => session,
        Err(error) => {
            findings.push(Finding::of_error(NAME, error.code(), error.diagnostic()));
            return None;
        }
    };
    let file = session.profiles.path.as_deref();
    let file = file.filter(|path| path.exists());
    findings.push(match file {
        None => Finding::ok(NAME, "no file; variables alone"),
        Some(path) => {
            let count = session.profiles.all.iter();
            let count = count.filter(|it| it.name != ENVIRONMENT_PROFILE).count();
            let plural = if count == 1 { "" } else { "s" };
            let what = format!(
                "{}, {count} profile{plural}",
                crate::types::quote::path(path)
            );
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            exposed(path)
                .or_else(|| exposed(folder.unwrap_or(Path::new("."))))
                .unwrap_or_else(|| Finding::ok(NAME, what))
        }
    });
    Some(session)
}

/// Checks who can write to the file. A user with write access controls the program that is started
/// for the secret, and the server that receives the secret.
fn exposed(path: &Path) -> Option<Finding> {
    let standing = FileStatus::of(path).ok()?;
    let shown = crate::types::quote::path(path);
    let (why, fix) = if standing.is_foreign {
        (
            "is another user's".to_owned(),
            "keep it yours: whoever can change it chooses the server that is given the secret"
                .to_owned(),
        )
    } else {
        let mode = standing.writable_for_others()?;
        (
            format!("can be written by others (mode {mode:04o})"),
            chmod("go-w", path),
        )
    };
    let what = format!("{shown} {why}");
    Some(Finding::warning("configuration", what, fix))
}

/// A `chmod` command, quoted for a shell.
pub(super) fn chmod(change: &str, path: &Path) -> String {
    let path = crate::types::quote::path(path).replace('\'', "'\\''");
    format!("chmod {change} '{path}'")
}

/// Chooses the profile, and reports why it was chosen.
pub(super) fn profile<'s>(
    session: &'s Session<'_>,
    context: &Context<'_>,
    findings: &mut Vec<Finding>,
) -> Option<&'s Profile> {
    const NAME: &str = "profile";
    match session.profile() {
        Ok(profile) => {
            let why = if context.options.profile.is_some() {
                "`--profile` names it"
            } else if session.chosen_name().is_some() {
                "CLOUDCONNEXA_PROFILE names it"
            } else if profile.name == ENVIRONMENT_PROFILE {
                "variables make it"
            } else if session.profiles.default.as_ref() == Some(&profile.name) {
                "`default_profile` names it"
            } else {
                "the only one there is"
            };
            findings.push(Finding::ok(NAME, format!("{}: {why}", profile.name)));
            Some(profile)
        }
        Err(error) => {
            findings.push(Finding::of_error(NAME, error.code(), error.diagnostic()));
            None
        }
    }
}

/// Checks that the client ID ends in the tenant's name, as all client IDs of the vendor do.
pub(super) fn client_id(case: &Case<'_>) -> Finding {
    const NAME: &str = "client_id";
    let profile = case.profile;
    let id = &profile.client.client_id;
    let Some(tenant) = profile.tenant() else {
        return Finding::skipped(NAME, format!("{id}: no Cloud ID to compare it with"));
    };
    let whole = "copy the client ID whole from the Administration portal, or correct `cloud_id`";
    match id.rsplit_once('.') {
        Some((_, suffix)) if suffix.eq_ignore_ascii_case(tenant) => {
            Finding::ok(NAME, format!("{id}, of Cloud ID {tenant}"))
        }
        Some((_, suffix)) => Finding::warning(
            NAME,
            format!("{id} ends in `.{suffix}`, and the Cloud ID is `{tenant}`"),
            whole,
        ),
        None => Finding::warning(NAME, format!("{id} does not end in `.{tenant}`"), whole),
    }
}

/// Reads the client secret. A program that prompts the user may take half of the remaining time.
pub(super) fn secret(case: &Case<'_>) -> (Finding, Option<Secret>) {
    const NAME: &str = "secret";
    let (clock, profile) = (case.context.clock, case.profile);
    let half = case.deadline.remaining(clock) / 2;
    let deadline = case.deadline.at_most(clock, half);
    match profile
        .source
        .read(case.context.environment, clock, deadline)
    {
        Ok(secret) => {
            let what = format!("{}: it can be read", profile.source);
            (Finding::ok(NAME, what), Some(secret))
        }
        Err(error) => {
            let error = ObtainError::Source(error);
            let told = explain(&error, profile, clock.now());
            (Finding::of_error(NAME, code_of(&error), told), None)
        }
    }
}

/// Checks when the API credential itself expires.
pub(super) fn credential(case: &Case<'_>) -> Finding {
    const NAME: &str = "credential";
    let Some(end) = case.profile.secret_expires else {
        let what = "the profile does not tell when it ends (`secret_expires`)";
        return Finding::skipped(NAME, what);
    };
    let days = days_left(end, case.context.clock.now().date());
    match lifetime_warning(days) {
        None => Finding::ok(NAME, format!("until {end}, {days} days left")),
        Some(warning) => Finding::warning(
            NAME,
            format!("{warning} (until {end})"),
            "make new API credentials in the Administration portal and save them with \
             `cloudconnexa-auth login`",
        ),
    }
}
