//! The endpoint of a token provider: the secret source and token endpoint of a profile.

use std::cell::OnceCell;

use super::ObtainError;
use super::explain::{ANY_PROFILE, explain_failure, explain_missing};
use crate::config::Profile;
use crate::oauth::{
    ApiResponse, AuthMethod, ExchangeError, Form, Http, HttpSettings, Proxies, TokenGrant,
    exchange, get,
};
use crate::secret_source::SourceError;
use crate::system::clock::{Clock, Deadline};
use crate::system::environment::Environment;
use crate::system::tls_roots::System;
use crate::types::diagnostic::Diagnostic;
use crate::types::secret::Secret;
use crate::types::token::AccessToken;
use crate::types::uri::Uri;

/// Reads the secret and sends token requests.
pub(crate) trait Endpoint {
    /// Returns the secret if reading it is cheap and succeeds.
    fn cheap_secret(&self) -> Option<Secret>;

    /// Returns the secret, even if reading it is expensive.
    fn secret(&self, clock: &dyn Clock, deadline: Deadline) -> Result<Secret, SourceError>;

    /// Does one exchange; `remembered` is the form of request that worked last.
    fn exchange(
        &self,
        secret: &Secret,
        remembered: Option<Form>,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<TokenGrant, ObtainError>;

    /// The name of the `auth_method`. A refusal of one does not bind callers with another.
    fn auth_method(&self) -> &str {
        AuthMethod::Auto.name()
    }

    /// Whether reading the secret starts a program, which may prompt the user.
    fn is_secret_costly(&self) -> bool;

    /// The message for a failure, for all profiles that share the entry.
    fn tell(&self, failure: &ExchangeError) -> Diagnostic;

    /// The message for a missing secret, for all profiles that share the entry.
    fn tell_missing(&self, error: &SourceError) -> Diagnostic;
}

/// The endpoint of a profile, over HTTP.
#[derive(Debug)]
pub(crate) struct ProfileEndpoint<'a> {
    profile: &'a Profile,
    environment: &'a Environment,
    roots: &'a System<'a>,
    given: Option<&'a Secret>,
    http: OnceCell<Http<'a>>,
}

impl<'a> ProfileEndpoint<'a> {
    /// Creates the endpoint without reading a secret or opening a connection.
    pub(crate) fn new(
        profile: &'a Profile,
        environment: &'a Environment,
        roots: &'a System<'a>,
    ) -> Self {
        Self {
            profile,
            environment,
            roots,
            given: None,
            http: OnceCell::new(),
        }
    }

    /// Uses this secret, which is not saved yet, instead of the profile's source.
    pub(crate) fn with_secret(self, secret: &'a Secret) -> Self {
        Self {
            given: Some(secret),
            ..self
        }
    }

    /// Sends one authorized API request, if the profile has an API at the endpoint's origin.
    pub(crate) fn call_api(
        &self,
        url: &Uri,
        token: &AccessToken,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<ApiResponse, ObtainError> {
        let response = get(self.http()?, url, Some(token), clock, deadline);
        response.map_err(ObtainError::Exchange)
    }

    fn http(&self) -> Result<&Http<'a>, ObtainError> {
        if let Some(http) = self.http.get() {
            return Ok(http);
        }
        let settings = HttpSettings {
            origin: self.profile.client.token_url.origin().clone(),
            ca_file: self.profile.ca_file.clone(),
            proxies: Proxies::of(self.environment),
        };
        let http = Http::new(&settings, self.roots).map_err(ObtainError::SetUp)?;
        Ok(self.http.get_or_init(|| http))
    }
}

impl Endpoint for ProfileEndpoint<'_> {
    fn cheap_secret(&self) -> Option<Secret> {
        match self.given {
            Some(secret) => Some(secret.clone()),
            None => self.profile.source.read_cheap(self.environment)?.ok(),
        }
    }

    fn secret(&self, clock: &dyn Clock, deadline: Deadline) -> Result<Secret, SourceError> {
        match self.given {
            Some(secret) => Ok(secret.clone()),
            None => self.profile.source.read(self.environment, clock, deadline),
        }
    }

    fn exchange(
        &self,
        secret: &Secret,
        remembered: Option<Form>,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<TokenGrant, ObtainError> {
        let http = self.http()?;
        exchange(
            http,
            &self.profile.client,
            secret,
            remembered,
            clock,
            deadline,
        )
        .map_err(ObtainError::Exchange)
    }

    fn tell(&self, failure: &ExchangeError) -> Diagnostic {
        explain_failure(failure, self.profile, ANY_PROFILE)
    }

    fn auth_method(&self) -> &str {
        self.profile.client.auth_method.name()
    }

    fn is_secret_costly(&self) -> bool {
        self.profile.source.is_program()
    }

    fn tell_missing(&self, error: &SourceError) -> Diagnostic {
        explain_missing(error, ANY_PROFILE)
    }
}
