//! `login`: gets credentials from the user or from flags, verifies them, and saves them if they
//! work.
//!
//! `dialogue` asks for the values, `trial` verifies them, `keeper` finds a secret backend.

mod dialogue;
mod keeper;
mod trial;

use std::time::Duration;

use super::Context;
use crate::cli::LoginOptions;
use crate::config::{
    NewProfile, Profile, ProfileError, Profiles, SecretBackend, choose, load, preview, store,
};
use crate::diagnostics::error::{Error, LoginError};
use crate::oauth::TokenGrant;
use crate::secret_source::Source;
use crate::system::terminal::{Terminal, TerminalError};

pub(super) use dialogue::yes_or_no;

use dialogue::{Answers, typed_secret};
use keeper::Candidates;
use trial::Trial;

#[cold]
pub(super) fn run(context: &Context<'_>, options: &LoginOptions) -> Result<(), Error> {
    let known = known(context)?;
    let terminal = if options.secret_stdin {
        None
    } else {
        Terminal::open()
    };
    let candidates = Candidates::chosen(context, options.store.as_deref())?;
    let answers = Answers::collect(context, options, &known, terminal.as_ref())?;
    let mut profile = answers.into_profile();
    let tried = preview(&context.editing(), &profile)?;

    let (trial, granted) = try_out(context, &tried, &mut profile, terminal.as_ref())?;
    let candidates = candidates.unwrap_or_else(|| Candidates::found(context));
    let (stored, why_not) = save(context, &mut profile, &candidates, terminal.as_ref())?;
    trial.adopt(&granted);

    if let Some(old) = known.named(&profile.name) {
        remove_superseded(context, &known, old, &stored);
    }
    report(context, &stored, &why_not);
    Ok(())
}

/// Verifies the credentials. If the server refuses a typed secret, asks for the secret again a few
/// times, and for nothing else.
fn try_out<'a>(
    context: &'a Context<'a>,
    tried: &'a Profile,
    profile: &mut NewProfile,
    terminal: Option<&Terminal>,
) -> Result<(Trial<'a>, TokenGrant), Error> {
    let mut attempt = 1;
    loop {
        let trial = Trial::new(context, tried, &profile.client_secret);
        let refused = match trial.run(terminal) {
            Ok(granted) => return Ok((trial, granted)),
            Err(refused) => refused,
        };
        match terminal {
            Some(terminal) if refused.may_be_mistyped && attempt < MOST_SECRETS => {
                let what = refused.error.diagnostic().what;
                let again = format!("  No: {what}.\n  Once more, or Ctrl-C.\n");
                terminal.say(&again).map_err(untold)?;
                profile.client_secret = typed_secret(terminal)?;
                attempt += 1;
            }
            _ => return Err(refused.error),
        }
    }
}

/// The existing profiles. If the file of `--config` does not exist, there are none; it is created
/// later.
fn known(context: &Context<'_>) -> Result<Profiles, Error> {
    match load(context.environment, context.options.config.as_deref()) {
        Err(ProfileError::NoFile(_)) => Ok(Profiles::default()),
        other => Ok(other?),
    }
}

/// Saves the profile with the first secret backend that works; also returns why others failed.
fn save(
    context: &Context<'_>,
    profile: &mut NewProfile,
    candidates: &Candidates,
    terminal: Option<&Terminal>,
) -> Result<(Profile, Vec<String>), Error> {
    let mut why_not = candidates.why_not.clone();
    let say = |text: &str| match terminal {
        Some(terminal) => terminal.say(text).map_err(untold),
        None => Ok(()),
    };
    for name in &candidates.helpers {
        profile.keeper = SecretBackend::DockerHelper(name.clone());
        // A locked keychain may prompt the user first.
        say(&format!("Giving the secret to docker-credential-{name} … "))?;
        let stored = store(&context.editing(), profile);
        say(if stored.is_ok() { "good\n" } else { "\n" })?;
        match stored {
            Ok(stored) => return Ok((stored, why_not)),
            Err(ProfileError::Secret(error)) if candidates.or_file => {
                why_not.push(error.to_string());
            }
            Err(ProfileError::Secret(error)) => {
                let program = format!("docker-credential-{name}");
                return Err(LoginError::SecretBackend { program, error }.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    profile.keeper = SecretBackend::File;
    // Two files are written. Ctrl-C between the writes would leave only one of them.
    let file = || store(&context.editing(), profile);
    let stored = match terminal {
        Some(terminal) => terminal.without_signals(file),
        None => file(),
    };
    Ok((stored?, why_not))
}

/// Removes the secret of the replaced profile if no other profile uses it.
fn remove_superseded(context: &Context<'_>, known: &Profiles, old: &Profile, new: &Profile) {
    let is_stored = known.keeps_secret_of(old) && !known.shares_secret_of(old);
    if !is_stored || old.source == new.source {
        return;
    }
    let removed = old.source.remove(context.launcher(context.time_from_now()));
    if let Err(error) = removed {
        let source = &old.source;
        context
            .report
            .warning(&format!("the old secret is still in {source}: {error}"));
    }
}

fn report(context: &Context<'_>, stored: &Profile, why_not: &[String]) {
    let name = &stored.name;
    let server = stored.base_url.as_ref().map(ToString::to_string);
    let server = server.unwrap_or_default();
    let kept = match &stored.source {
        Source::File(path) => format!("the file {} (0600)", crate::types::quote::path(path)),
        other => other.to_string(),
    };
    let since = if why_not.is_empty() {
        String::new()
    } else {
        format!(", since {}", why_not.join(" and "))
    };
    let tell = |text: &str| context.report.tell(text);
    tell(&format!("saved profile `{name}` for {server}"));
    tell(&format!("its client secret is in {kept}{since}"));
    let profiles = load(context.environment, context.options.config.as_deref());
    let is_first = profiles
        .is_ok_and(|profiles| choose(&profiles, None).is_ok_and(|profile| profile.name == *name));
    if !is_first {
        tell(&format!(
            "choose it with `--profile {name}`, or make it the default with `cloudconnexa-auth use \
             {name}`"
        ));
    }
}

/// How often to ask for a secret that the server refuses; sudo(8) has the same limit.
const MOST_SECRETS: usize = 3;

/// The time limit for a keychain to respond.
const KEYCHAIN_LIMIT: Duration = Duration::from_secs(3);

/// Converts an error of the terminal.
fn untold(error: TerminalError) -> Error {
    let verb = "login";
    LoginError::Terminal { verb, error }.into()
}
