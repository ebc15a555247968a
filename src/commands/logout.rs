//! `logout`: removes a profile, its secret and its cached tokens.

use super::login::yes_or_no;
use super::session::{Caller, Session};
use super::{Context, Error};
use crate::config::{ENVIRONMENT_PROFILE, Profile, ProfileError, choose, load, remove};
use crate::diagnostics::error::LoginError;
use crate::system::terminal::Terminal;

#[cold]
pub(super) fn run(context: &Context<'_>, yes: bool) -> Result<(), Error> {
    let session = Session::open(context, Caller::Person)?;
    let profile = session.profile()?;
    let name = &profile.name;
    if name == ENVIRONMENT_PROFILE {
        let profile = name.clone();
        return Err(LoginError::NotInFile { profile }.into());
    }
    if !yes && let Some(terminal) = Terminal::open() {
        confirm(&terminal, profile)?;
    }
    // Remove the secret first. If its backend fails, the profile still refers to it, and the user
    // can repeat the command.
    let is_kept = session.profiles.keeps_secret_of(profile);
    let is_shared = session.profiles.shares_secret_of(profile);
    let source = &profile.source;
    if is_kept && !is_shared {
        let removed = source.remove(context.launcher(context.time_from_now()));
        removed.map_err(Error::Removal)?;
    }
    session.forget(profile)?;
    remove(&context.editing(), name)?;

    let tell = |text: &str| context.report.tell(text);
    match (is_kept, is_shared) {
        (true, false) => tell(&format!(
            "removed profile `{name}` and its secret ({source})"
        )),
        (true, true) => tell(&format!(
            "removed profile `{name}`; its secret ({source}) stays, for another profile uses it"
        )),
        (false, _) => tell(&format!(
            "removed profile `{name}`; its secret is not kept by this program ({source})"
        )),
    }
    let left = load(context.environment, context.options.config.as_deref());
    if left.is_ok_and(|left| matches!(choose(&left, None), Err(ProfileError::Undecided { .. }))) {
        tell("no profile is the default now: choose one with `cloudconnexa-auth use NAME`");
    }
    Ok(())
}

fn confirm(terminal: &Terminal, profile: &Profile) -> Result<(), Error> {
    let verb = "logout";
    let untold = |error| LoginError::Terminal { verb, error };
    let question = format!(
        "Remove profile `{}` (client ID {})? [y/N]: ",
        profile.name, profile.client.client_id
    );
    loop {
        let answer = terminal.ask(&question).map_err(untold)?;
        match yes_or_no(&answer) {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(LoginError::Declined { verb }.into()),
            Err(problem) => terminal
                .say(&format!("  No: {problem}.\n"))
                .map_err(untold)?,
        }
    }
}
