//! Collects the credentials from flags, and from the user if there is a terminal.

use std::io::{self, IsTerminal as _};

use time::Date;

use super::untold;
use crate::cli::{CommonOptions, LoginOptions, UsageError};
use crate::commands::{Context, Limits};
use crate::config::{
    LIFETIMES, NewProfile, Profiles, SecretBackend, check_client_id, check_name, end_of_lifetime,
    tenant_url,
};
use crate::diagnostics::error::{Error, LoginError};
use crate::secret_source::given;
use crate::system::terminal::Terminal;
use crate::types::secret::Secret;
use crate::types::uri::Uri;

/// The default for a profile's name.
const DEFAULT_NAME: &str = "default";

/// The terms for a credential's lifetime in the portal, and our notation.
const PORTAL_WORDS: [(&str, &str); 4] = [
    ("two weeks", "2w"),
    ("one month", "1mo"),
    ("six months", "6mo"),
    ("one year", "1y"),
];

/// The settings of the new profile.
#[derive(Debug)]
pub(super) struct Answers {
    name: String,
    client_id: String,
    client_secret: Secret,
    lifetime: Option<String>,
    /// `cloud_id`, `base_url` or both.
    server: Vec<(&'static str, String)>,
    make_default: bool,
}

impl Answers {
    /// Checks the flags, and asks for missing values if there is a terminal.
    pub(super) fn collect(
        context: &Context<'_>,
        options: &LoginOptions,
        known: &Profiles,
        terminal: Option<&Terminal>,
    ) -> Result<Self, Error> {
        let today = context.clock.now().date();
        check_flags(context.options, options, today)?;
        match terminal {
            Some(terminal) => {
                let dialogue = Dialogue {
                    context,
                    options,
                    known,
                    terminal,
                    today,
                };
                dialogue.collect()
            }
            None => Self::from_flags(context, options),
        }
    }

    fn from_flags(context: &Context<'_>, options: &LoginOptions) -> Result<Self, Error> {
        let client_id = options.client_id.clone();
        let guessed = client_id.as_deref().and_then(guess);
        let cloud_id = options.cloud_id.clone();
        let has_url = options.base_url.is_some();
        let cloud_id = cloud_id.or_else(|| guessed.filter(|_| !has_url));
        let lacks = [
            ("--client-id", client_id.is_none()),
            (
                "--cloud-id",
                client_id.is_some() && cloud_id.is_none() && !has_url,
            ),
            ("--secret-stdin", !options.secret_stdin),
        ];
        let missing = lacks.iter().filter(|(_, lacks)| *lacks);
        let missing: Vec<&str> = missing.map(|(flag, _)| *flag).collect();
        let (Some(client_id), true) = (client_id, missing.is_empty()) else {
            return Err(LoginError::NoTerminal { missing }.into());
        };
        if io::stdin().is_terminal() {
            return Err(LoginError::SecretFromTerminal.into());
        }
        let secret = given(context.input(Limits::Person)?).map_err(LoginError::Secret)?;
        Ok(Self {
            name: named(context).unwrap_or_else(|| suggested_name(cloud_id.as_deref())),
            client_id,
            client_secret: secret,
            lifetime: options.lifetime.clone().map(|text| in_our_words(&text)),
            server: server(cloud_id, options.base_url.clone()),
            make_default: options.default,
        })
    }

    pub(super) fn into_profile(self) -> NewProfile {
        NewProfile {
            name: self.name,
            client_id: self.client_id,
            client_secret: self.client_secret,
            lifetime: self.lifetime,
            settings: self.server,
            keeper: SecretBackend::File,
            make_default: self.make_default,
        }
    }
}

/// A dialogue with the user. Values that are set by flags are not asked for.
struct Dialogue<'a> {
    context: &'a Context<'a>,
    options: &'a LoginOptions,
    known: &'a Profiles,
    terminal: &'a Terminal,
    today: Date,
}

impl Dialogue<'_> {
    fn collect(&self) -> Result<Answers, Error> {
        let options = self.options;
        if options.client_id.is_none() {
            self.say(
                "Make API credentials in the Administration portal: API & Logs > API, with Enable \
                 API on.\n",
            )?;
        }
        let client_id = match &options.client_id {
            Some(id) => id.clone(),
            None => self.ask("Client ID: ", |text| {
                check_client_id(text).map_err(str::to_owned)?;
                Ok(text.to_owned())
            })?,
        };
        let (cloud_id, base_url) = self.server(&client_id)?;
        let client_secret = typed_secret(self.terminal)?;
        let lifetime = match &options.lifetime {
            Some(lifetime) => Some(in_our_words(lifetime)),
            None => self.lifetime()?,
        };
        let name = self.name(cloud_id.as_deref())?;
        let make_default = options.default || self.is_new_default(&name)?;
        Ok(Answers {
            name,
            client_id,
            client_secret,
            lifetime,
            server: server(cloud_id, base_url),
            make_default,
        })
    }

    fn server(&self, client_id: &str) -> Result<(Option<String>, Option<String>), Error> {
        let options = self.options;
        if options.cloud_id.is_some() || options.base_url.is_some() {
            return Ok((options.cloud_id.clone(), options.base_url.clone()));
        }
        let guessed = guess(client_id);
        let question = if let Some(guessed) = &guessed {
            format!("Cloud ID [{guessed}]: ")
        } else {
            self.say("  A client ID that is whole ends in a dot and the Cloud ID.\n")?;
            "Cloud ID: ".to_owned()
        };
        let cloud_id = self.ask(&question, |text| match (text, &guessed) {
            ("", Some(guessed)) => Ok(guessed.clone()),
            (text, _) => check_cloud_id(text).map(|()| text.to_owned()),
        })?;
        if let Some(guessed) = guessed.filter(|it| !it.eq_ignore_ascii_case(&cloud_id)) {
            self.say(&format!(
                "  The client ID ends in `.{guessed}`, not in `.{cloud_id}`.\n"
            ))?;
        }
        Ok((Some(cloud_id), None))
    }

    fn lifetime(&self) -> Result<Option<String>, Error> {
        self.say(
            "Lifetime chosen in the portal: 2w, 1mo, 6mo, 1y, or the last day as 2027-05-22; empty \
             to skip.\n",
        )?;
        self.ask("Lifetime: ", |text| match text {
            "" | "skip" => Ok(None),
            text => {
                let text = in_our_words(text);
                check_lifetime(&text, self.today).map(|()| Some(text))
            }
        })
    }

    fn name(&self, cloud_id: Option<&str>) -> Result<String, Error> {
        if let Some(name) = named(self.context) {
            if self.may_replace(&name)? {
                return Ok(name);
            }
            return Err(LoginError::Declined { verb: "login" }.into());
        }
        let suggested = suggested_name(cloud_id);
        loop {
            let name = self.ask(&format!("Profile name [{suggested}]: "), |text| {
                let name = if text.is_empty() { &suggested } else { text };
                check_name(name).map(|()| name.to_owned())
            })?;
            if self.may_replace(&name)? {
                return Ok(name);
            }
        }
    }

    /// Asks whether the profile replaces the current default.
    fn is_new_default(&self, name: &str) -> Result<bool, Error> {
        let current = self.known.default.as_deref();
        let Some(current) = current.filter(|current| *current != name) else {
            return Ok(false);
        };
        let question = format!("Make `{name}` the default instead of `{current}`? [y/N]: ");
        self.ask(&question, yes_or_no)
    }

    /// Whether the profile may have this name. Asks the user if a profile with this name exists.
    fn may_replace(&self, name: &str) -> Result<bool, Error> {
        let Some(old) = self.known.named(name) else {
            return Ok(true);
        };
        let question = format!(
            "Profile `{name}` is there already, with client ID {}. Replace it? [y/N]: ",
            old.client.client_id
        );
        self.ask(&question, yes_or_no)
    }

    /// Repeats the question until the answer is valid.
    fn ask<T>(&self, question: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<T, Error> {
        loop {
            let answer = self.terminal.ask(question).map_err(untold)?;
            match read(&answer) {
                Ok(value) => return Ok(value),
                Err(problem) => self.say(&format!("  No: {problem}.\n"))?,
            }
        }
    }

    fn say(&self, text: &str) -> Result<(), Error> {
        self.terminal.say(text).map_err(untold)
    }
}

/// Asks for the client secret until the input is a possible secret.
pub(super) fn typed_secret(terminal: &Terminal) -> Result<Secret, Error> {
    loop {
        let typed = terminal.ask_hidden("Client secret (not shown): ");
        match given(typed.map_err(untold)?) {
            Ok(secret) => return Ok(secret),
            Err(error) => terminal.say(&format!("  No: {error}.\n")).map_err(untold)?,
        }
    }
}

/// Parses the answer to a yes-or-no question; the default is no.
pub(in crate::commands) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(true),
        "" | "n" | "no" => Ok(false),
        _ => Err("answer `y` or `n`".to_owned()),
    }
}

/// The profile's name from a flag or a variable.
fn named(context: &Context<'_>) -> Option<String> {
    let options = context.options;
    let variable = || context.environment.text("CLOUDCONNEXA_PROFILE");
    options.profile.clone().or_else(variable)
}

fn suggested_name(cloud_id: Option<&str>) -> String {
    let fits = |name: &&str| check_name(name).is_ok();
    cloud_id.filter(fits).unwrap_or(DEFAULT_NAME).to_owned()
}

/// Guesses the Cloud ID from the client ID: the vendor puts it at the end.
fn guess(client_id: &str) -> Option<String> {
    let (_, suffix) = client_id.rsplit_once('.')?;
    check_cloud_id(suffix).is_ok().then(|| suffix.to_owned())
}

fn server(cloud_id: Option<String>, base_url: Option<String>) -> Vec<(&'static str, String)> {
    let settings = [("cloud_id", cloud_id), ("base_url", base_url)];
    let given = settings.into_iter();
    given.filter_map(|(key, text)| Some((key, text?))).collect()
}

fn in_our_words(lifetime: &str) -> String {
    let lower = lifetime.to_ascii_lowercase();
    let known = PORTAL_WORDS.iter().find(|(words, _)| *words == lower);
    known.map_or(lower.clone(), |(_, name)| (*name).to_owned())
}

fn check_cloud_id(text: &str) -> Result<(), String> {
    match tenant_url(text) {
        Some(_) => Ok(()),
        None => Err("a Cloud ID is 1 to 63 letters, digits and `-`".to_owned()),
    }
}

fn check_lifetime(text: &str, today: Date) -> Result<(), String> {
    match end_of_lifetime(text, today) {
        Some(end) if end < today => Err("that day is past".to_owned()),
        Some(_) => Ok(()),
        None => Err(format!(
            "it is one of {}, or the last day as 2027-05-22",
            LIFETIMES.join(", ")
        )),
    }
}

/// Checks a flag before the first question.
fn check_flags(
    common: &CommonOptions,
    options: &LoginOptions,
    today: Date,
) -> Result<(), UsageError> {
    let check = |flag: &str, value: &Option<String>, check: &dyn Fn(&str) -> Result<(), String>| {
        let Some(value) = value else { return Ok(()) };
        check(value).map_err(|problem| UsageError::BadValue {
            flag: flag.to_owned(),
            problem,
        })
    };
    check("--client-id", &options.client_id, &|text| {
        check_client_id(text).map_err(str::to_owned)
    })?;
    check("--cloud-id", &options.cloud_id, &check_cloud_id)?;
    check("--base-url", &options.base_url, &|text| {
        let read = Uri::parse_base(text);
        read.map(drop).map_err(|error| error.to_string())
    })?;
    check("--lifetime", &options.lifetime, &|text| {
        check_lifetime(&in_our_words(text), today)
    })?;
    check("--profile", &common.profile, &check_name)
}
