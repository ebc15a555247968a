//! Verifies credentials before they are saved, with a real token request and a real API call.

use time::OffsetDateTime;

use super::untold;
use crate::commands::session::{slot_of, tell};
use crate::commands::{API_PATH, Context};
use crate::config::Profile;
use crate::diagnostics::error::{Error, code_of, explain_api, explain_trial};
use crate::diagnostics::reporter::Progress;
use crate::oauth::{ExchangeError, Refusal, TokenGrant};
use crate::system::terminal::Terminal;
use crate::token_provider::{
    Event, ObtainError, ProfileEndpoint, TokenProvider, TokenRequest, explain,
};
use crate::types::secret::Secret;
use crate::types::token::{MinTtl, RefreshAhead};

/// A profile that is not saved yet, and its secret.
pub(super) struct Trial<'a> {
    context: &'a Context<'a>,
    profile: &'a Profile,
    secret: Secret,
}

/// Credentials that did not work.
pub(super) struct Refused {
    /// Whether another secret could work.
    pub(super) may_be_mistyped: bool,
    pub(super) error: Error,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self {
            may_be_mistyped: false,
            error,
        }
    }
}

impl<'a> Trial<'a> {
    pub(super) fn new(context: &'a Context<'a>, profile: &'a Profile, secret: &Secret) -> Self {
        Self {
            context,
            profile,
            secret: secret.clone(),
        }
    }

    /// Requests a token and calls the API. Nothing is written to the cache in any case.
    pub(super) fn run(&self, terminal: Option<&Terminal>) -> Result<TokenGrant, Refused> {
        let say = |text: &str| match terminal {
            Some(terminal) => terminal.say(text).map_err(untold),
            None => Ok(()),
        };
        let server = self.profile.base_url.as_ref();
        let server = server.unwrap_or(&self.profile.client.token_url);
        say(&format!("Asking {} for a token … ", server.origin()))?;
        let tried = self.exchange(terminal);
        say(if tried.is_ok() { "good\n" } else { "\n" })?;
        let granted = tried?;
        say(&format!("Calling {API_PATH} with it … "))?;
        let called = self.call_api(&granted, terminal);
        let said = match &called {
            Ok(404) => "not there (404), which says nothing of the token\n",
            Ok(_) => "good\n",
            Err(_) => "\n",
        };
        say(said)?;
        called?;
        Ok(granted)
    }

    /// Stores the token in the cache for later calls.
    pub(super) fn adopt(&self, granted: &TokenGrant) {
        self.with_broker(|broker, _, ask| broker.adopt(granted, &self.secret, ask));
    }

    fn exchange(&self, terminal: Option<&Terminal>) -> Result<TokenGrant, Refused> {
        let wait = self.wait(terminal, "asking for a token");
        let granted = self.with_broker(|broker, _, ask| broker.try_out(ask));
        drop(wait);
        granted.map_err(|error| {
            let refusal = match &error {
                ObtainError::Exchange(ExchangeError::Refused { refusal, .. }) => Some(*refusal),
                _ => None,
            };
            Refused {
                may_be_mistyped: refusal == Some(Refusal::Credentials) && self.is_id_whole(),
                error: self.refused(&error),
            }
        })
    }

    /// Whether the client ID ends in the Cloud ID. Otherwise the server accepts no secret.
    fn is_id_whole(&self) -> bool {
        let id = self.profile.client.client_id.rsplit_once('.');
        let is_its = |tenant: &str| id.is_some_and(|(_, end)| end.eq_ignore_ascii_case(tenant));
        self.profile.tenant().is_none_or(is_its)
    }

    /// Calls the API; returns the status of a response that does not refuse the token.
    fn call_api(&self, granted: &TokenGrant, terminal: Option<&Terminal>) -> Result<u16, Error> {
        let Some(base_url) = &self.profile.base_url else {
            return Ok(404);
        };
        let url = base_url.join(API_PATH);
        let token = &granted.token.access_token;
        let wait = self.wait(terminal, "calling the API");
        let seen = self.with_broker(|broker, endpoint, ask| {
            endpoint.call_api(&url, token, broker.clock, ask.deadline)
        });
        drop(wait);
        let seen = seen.map_err(|error| self.refused(&error))?;
        match explain_api(&seen, token, &url.to_string(), self.profile) {
            Some((code, diagnostic)) => Err(Error::Obtain { diagnostic, code }),
            None => Ok(seen.status),
        }
    }

    /// Shows a progress message, unless the dialogue already shows one.
    fn wait(&self, terminal: Option<&Terminal>, what: &str) -> Option<Progress> {
        let progress = || self.context.report.progress(what);
        terminal.is_none().then(progress).flatten()
    }

    fn refused(&self, error: &ObtainError) -> Error {
        let told = explain(error, self.profile, self.now());
        Error::Obtain {
            diagnostic: explain_trial(error, self.profile, told),
            code: code_of(error),
        }
    }

    fn now(&self) -> OffsetDateTime {
        self.context.clock.now()
    }

    fn with_broker<T>(
        &self,
        act: impl FnOnce(&TokenProvider<'_>, &ProfileEndpoint<'_>, &TokenRequest) -> T,
    ) -> T {
        let context = self.context;
        let endpoint = ProfileEndpoint::new(self.profile, context.environment, context.roots);
        let endpoint = endpoint.with_secret(&self.secret);
        let notify = |notice: Event<'_>| tell(context, self.profile, &notice);
        let broker = TokenProvider {
            clock: context.clock,
            slot: slot_of(context, self.profile),
            endpoint: &endpoint,
            shared: None,
            notify: &notify,
        };
        let ask = TokenRequest {
            min_ttl: MinTtl::Default,
            not_before: None,
            refresh_ahead: RefreshAhead::LastFifth,
            is_single: false,
            began: self.now(),
            deadline: context.time_from_now(),
        };
        act(&broker, &endpoint, &ask)
    }
}
