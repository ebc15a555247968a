//! `status`: shows the state of every profile without any request. `page` formats it as text; the
//! JSON has a stable schema (`integrations/schemas/status.json`).

mod page;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::cache::{Cooldown, Reason};
use crate::config::{Profile, days_left, lifetime_warning};
use crate::diagnostics::error::Error;
use crate::diagnostics::style::Style;
use crate::protocol::{json_line, timestamp};
use crate::secret_source::SourceError;
use crate::token_provider::cooldown_message;
use crate::types::token::RefreshAhead;

#[cold]
pub(super) fn run(context: &Context<'_>, json: bool) -> Result<Output, Error> {
    let session = Session::open(context, Caller::Person)?;
    let shown: Vec<&Profile> = match session.chosen_name() {
        Some(_) => vec![session.profile()?],
        None => session.profiles.all.iter().collect(),
    };
    if shown.is_empty() {
        session.profile()?;
    }
    let default = session.default_name();
    let now = context.clock.now();
    let states: Vec<State> = shown
        .into_iter()
        .map(|profile| {
            let is_default = default == Some(profile.name.as_str());
            State::of(context, &session, profile, is_default, now)
        })
        .collect();
    if json {
        return Ok(json_line(&WireStatus { profiles: &states }));
    }
    let style = Style::of(context.environment, io::stdout().is_terminal());
    Ok(Output::new(page::write(&states, style).into_bytes()))
}

#[derive(Serialize)]
struct WireStatus<'a> {
    profiles: &'a [State],
}

/// The state of a profile. Times are RFC 3339 in UTC; durations are whole seconds.
#[derive(Serialize)]
struct State {
    name: String,
    default: bool,
    base_url: Option<String>,
    token_url: String,
    client_id: String,
    secret_source: String,
    /// The expiry date of the API credential, if the profile specifies it.
    secret_expires: Option<String>,
    secret_days_left: Option<i64>,
    /// `good`, `aging` (the next call refreshes the token), `stale` (the rest of its lifetime is
    /// less than `min_ttl`), `refused` (by a server; the next call requests another), `expired` or
    /// `none`.
    token_state: &'static str,
    expires_at: Option<String>,
    expires_in: Option<u64>,
    refresh_at: Option<String>,
    #[serde(skip)]
    refresh_in: Option<Duration>,
    auth_method: Option<String>,
    /// The store that hosts share; no connection is made to it.
    shared_store: Option<String>,
    cooldown: Option<WireCooldown>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct WireCooldown {
    reason: Reason,
    message: String,
    until: String,
    seconds_left: u64,
}

impl State {
    fn of(
        context: &Context<'_>,
        session: &Session<'_>,
        profile: &Profile,
        is_default: bool,
        now: OffsetDateTime,
    ) -> Self {
        let entry = session
            .slot(profile)
            .map(|slot| slot.read())
            .unwrap_or_default();
        let (secret, trouble) = match profile.source.read_cheap(context.environment) {
            Some(Ok(secret)) => (Some(secret), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        let held = entry.token_for(secret.as_ref(), now);
        let token = held.map(|held| held.token.as_of(now));
        let token = token.as_ref();
        let is_refused = held.is_some_and(|held| held.is_refused);
        let auth_method = profile.client.auth_method.name();
        let cooldown = entry
            .cooldowns
            .iter()
            .filter(|cooldown| {
                let binds = cooldown.binds(secret.as_ref(), auth_method).unwrap_or(true);
                binds && cooldown.is_in_force(now) && cooldown.reason != Reason::NoSecret
            })
            .max_by_key(|cooldown| cooldown.until);
        let secret_days_left = profile.secret_expires.map(|end| days_left(end, now.date()));
        let token_state = match token {
            None => "none",
            Some(token) if now >= token.expires_at => "expired",
            Some(token) if !token.is_fresh(now, session.min_ttl(profile)) => "stale",
            Some(_) if is_refused => "refused",
            Some(token) if token.is_aging(now, RefreshAhead::LastFifth) => "aging",
            Some(_) => "good",
        };
        Self {
            name: profile.name.clone(),
            default: is_default,
            base_url: profile.base_url.as_ref().map(ToString::to_string),
            token_url: profile.client.token_url.without_query(),
            client_id: profile.client.client_id.clone(),
            secret_source: profile.source.to_string(),
            secret_expires: profile.secret_expires.map(|end| end.to_string()),
            secret_days_left,
            token_state,
            expires_at: token.map(|token| timestamp(token.expires_at)),
            expires_in: token.map(|token| token.time_left(now).as_secs()),
            refresh_in: token.map(|token| {
                let at = token.refresh_at(RefreshAhead::LastFifth);
                (at - now).try_into().unwrap_or_default()
            }),
            refresh_at: token
                .map(|token| token.refresh_at(RefreshAhead::LastFifth))
                .map(timestamp),
            auth_method: entry.auth_method.clone(),
            shared_store: profile.shared_store.as_ref().map(ToString::to_string),
            cooldown: cooldown.map(|cooldown| WireCooldown::of(cooldown, profile, now)),
            warnings: warnings(profile, trouble, secret_days_left),
        }
    }
}

impl WireCooldown {
    fn of(cooldown: &Cooldown, profile: &Profile, now: OffsetDateTime) -> Self {
        let left: Duration = (cooldown.until - now).try_into().unwrap_or_default();
        Self {
            reason: cooldown.reason,
            message: cooldown_message(cooldown, &profile.name),
            until: timestamp(cooldown.until),
            seconds_left: left.as_secs() + u64::from(left.subsec_nanos() > 0),
        }
    }
}

fn warnings(
    profile: &Profile,
    trouble: Option<SourceError>,
    days_left: Option<i64>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Some(error) = trouble {
        warnings.push(format!("the next token request will fail: {error}"));
    }
    if let Some(suffix) = profile.mismatched_suffix() {
        warnings.push(format!(
            "the client ID ends in `.{suffix}`, which is not `.{}`",
            profile.cloud_id.as_deref().unwrap_or_default()
        ));
    }
    warnings.extend(days_left.and_then(lifetime_warning));
    warnings
}
