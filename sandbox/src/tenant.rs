//! One tenant: its credentials, its tokens, its rate limits and its switches. No I/O; time is an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use time::OffsetDateTime;

use crate::api;
use crate::credential::{Credential, CredentialSpec, new_secret};
use crate::http_response::HttpResponse;
use crate::random;
use crate::rate_limit::{RateLimit, RateLimiter};
use crate::token_request::Form;

/// One of the two paths of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPath {
    /// `/api/v1/oauth/token`
    V1,
    /// `/api/beta/oauth/token`, the path of older tenants.
    Beta,
}

/// The settings of a tenant.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) cloud_id: String,
    pub(crate) token_lifetime: Duration,
    pub(crate) rate_limit: Option<RateLimit>,
    pub(crate) is_api_enabled: bool,
    pub(crate) accepted: Vec<Form>,
    pub(crate) token_paths: Vec<TokenPath>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cloud_id: "sandbox".to_owned(),
            token_lifetime: Duration::from_secs(43_199),
            rate_limit: Some(RateLimit::default()),
            is_api_enabled: true,
            accepted: Form::ALL.to_vec(),
            token_paths: vec![TokenPath::V1, TokenPath::Beta],
        }
    }
}

/// A credential with its restrictions and its rate limit.
pub(crate) struct StoredCredential {
    pub(crate) credential: Credential,
    pub(crate) spec: CredentialSpec,
    rate_limiter: Option<RateLimiter>,
}

impl StoredCredential {
    /// Whether an address is in one of the allowed subnets; without subnets every address is.
    pub(crate) fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        let subnets = &self.spec.allowed_subnets;
        subnets.is_empty() || subnets.iter().any(|subnet| subnet.contains(&peer))
    }
}

/// A token that was issued.
struct IssuedToken {
    client_id: String,
    expires_at: OffsetDateTime,
}

/// One cloud.
pub(crate) struct Tenant {
    pub(crate) settings: Settings,
    pub(crate) api: api::State,
    credentials: Vec<StoredCredential>,
    tokens: HashMap<String, IssuedToken>,
}

impl Tenant {
    pub(crate) fn new(settings: Settings, now: OffsetDateTime) -> Self {
        Self {
            settings,
            api: api::State::with_sample_data(now),
            credentials: Vec::new(),
            tokens: HashMap::new(),
        }
    }

    /// Creates a credential; one with the same client ID is replaced.
    pub(crate) fn add(&mut self, spec: &CredentialSpec, now: OffsetDateTime) -> Credential {
        let credential = Credential::create(spec, &self.settings.cloud_id, now);
        self.credentials
            .retain(|it| it.credential.client_id != credential.client_id);
        let rate_limit = self.settings.rate_limit;
        self.credentials.push(StoredCredential {
            credential: credential.clone(),
            spec: spec.clone(),
            rate_limiter: rate_limit.map(|limit| RateLimiter::new(limit, now)),
        });
        credential
    }

    pub(crate) fn first(&self) -> Option<Credential> {
        self.credentials.first().map(|it| it.credential.clone())
    }

    /// Removes a credential and revokes its tokens; returns whether it existed.
    pub(crate) fn revoke(&mut self, client_id: &str) -> bool {
        let before = self.credentials.len();
        self.credentials
            .retain(|it| it.credential.client_id != client_id);
        self.revoke_tokens(client_id);
        self.credentials.len() < before
    }

    /// Revokes the tokens of a credential; the credential stays.
    pub(crate) fn revoke_tokens(&mut self, client_id: &str) {
        self.tokens.retain(|_, token| token.client_id != client_id);
    }

    /// Replaces the secret of a credential, by a random one for `None`. Its tokens stay valid.
    pub(crate) fn rotate(&mut self, client_id: &str, secret: Option<&str>) -> Option<Credential> {
        let credential = &mut self.credential_mut(client_id)?.credential;
        credential.client_secret = secret.map_or_else(new_secret, ToOwned::to_owned);
        Some(credential.clone())
    }

    /// Ends the lifetime of a credential; returns whether it exists. Its tokens stay valid.
    pub(crate) fn expire(&mut self, client_id: &str, now: OffsetDateTime) -> bool {
        let Some(stored) = self.credential_mut(client_id) else {
            return false;
        };
        stored.credential.expires_at = now;
        true
    }

    /// Issues a token without a token request.
    pub(crate) fn issue(&mut self, client_id: &str, now: OffsetDateTime) -> Option<String> {
        self.stored(client_id)?;
        let token = random::text::<32>();
        let issued = IssuedToken {
            client_id: client_id.to_owned(),
            expires_at: now + self.settings.token_lifetime,
        };
        self.tokens.insert(token.clone(), issued);
        Some(token)
    }

    /// The client ID that a valid token was issued to.
    pub(crate) fn owner_of(&self, token: &str, now: OffsetDateTime) -> Option<String> {
        let issued = self.tokens.get(token)?;
        (now < issued.expires_at).then(|| issued.client_id.clone())
    }

    pub(crate) fn stored(&self, client_id: &str) -> Option<&StoredCredential> {
        let mut all = self.credentials.iter();
        all.find(|it| it.credential.client_id == client_id)
    }

    fn credential_mut(&mut self, client_id: &str) -> Option<&mut StoredCredential> {
        let mut all = self.credentials.iter_mut();
        all.find(|it| it.credential.client_id == client_id)
    }

    /// Counts a request against the limit of a credential; an unknown client ID has no limit.
    pub(crate) fn use_request(&mut self, client_id: &str, now: OffsetDateTime) -> bool {
        self.credential_mut(client_id)
            .and_then(|it| it.rate_limiter.as_mut())
            .is_none_or(|limiter| limiter.use_request(now))
    }

    /// Adds the rate-limit headers. For an unknown client ID they describe an unused limit.
    pub(crate) fn add_rate_limit(
        &self,
        client_id: &str,
        response: HttpResponse,
        now: OffsetDateTime,
    ) -> HttpResponse {
        let Some(limit) = self.settings.rate_limit else {
            return response;
        };
        match self
            .stored(client_id)
            .and_then(|it| it.rate_limiter.as_ref())
        {
            Some(limiter) => limiter.add_headers(response),
            None => RateLimiter::new(limit, now).add_headers(response),
        }
    }
}
