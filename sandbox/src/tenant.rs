//! The vendor's rules: who gets a token and what a token may do. Pure: no sockets, and time is an argument.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use hyper::Method;
use ipnet::IpNet;
use serde_json::json;
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::credential::{Credential, CredentialSpec, Permission, is_allowed, new_secret};
use crate::form::{Claim, Form, GrantType, TokenRequest};
use crate::random;
use crate::rate::{Bucket, RateLimit};

/// One of the two addresses of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPath {
    /// `/api/v1/oauth/token`
    V1,
    /// `/api/beta/oauth/token`, that of older tenants.
    Beta,
}

/// What can be chosen about a tenant; everything else of it grows while it runs.
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

/// A credential as the server keeps it.
struct Held {
    shown: Credential,
    allowed_subnets: Vec<IpNet>,
    permissions: Vec<Permission>,
    bucket: Option<Bucket>,
}

/// A token that was handed out.
struct Issued {
    client_id: String,
    expires_at: OffsetDateTime,
}

/// One cloud: its credentials, its tokens, its switches.
pub(crate) struct Tenant {
    pub(crate) settings: Settings,
    held: Vec<Held>,
    issued: HashMap<String, Issued>,
}

/// An answer, and what the record may tell of the request it answers.
pub(crate) struct Judged {
    pub(crate) answer: Answer,
    pub(crate) client_id: Option<String>,
}

impl Tenant {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            held: Vec::new(),
            issued: HashMap::new(),
        }
    }

    // Credentials

    /// Makes a credential; one with the same client ID is replaced.
    pub(crate) fn add(&mut self, spec: &CredentialSpec, now: OffsetDateTime) -> Credential {
        let shown = Credential::make(spec, &self.settings.cloud_id, now);
        self.held
            .retain(|held| held.shown.client_id != shown.client_id);
        self.held.push(Held {
            shown: shown.clone(),
            allowed_subnets: spec.allowed_subnets.clone(),
            permissions: spec.permissions.clone(),
            bucket: self
                .settings
                .rate_limit
                .map(|limit| Bucket::full(limit, now)),
        });
        shown
    }

    pub(crate) fn first(&self) -> Option<Credential> {
        self.held.first().map(|held| held.shown.clone())
    }

    /// Takes a credential away, and with it every token it got.
    pub(crate) fn revoke(&mut self, client_id: &str) -> bool {
        let before = self.held.len();
        self.held.retain(|held| held.shown.client_id != client_id);
        self.revoke_tokens(client_id);
        self.held.len() < before
    }

    /// Takes every token of a credential away; the credential stays.
    pub(crate) fn revoke_tokens(&mut self, client_id: &str) {
        self.issued
            .retain(|_, issued| issued.client_id != client_id);
    }

    /// Gives a credential a new secret, random unless given. Tokens already handed out live on.
    pub(crate) fn rotate(&mut self, client_id: &str, secret: Option<&str>) -> Option<Credential> {
        let held = self.held_mut(client_id)?;
        held.shown.client_secret = secret.map_or_else(new_secret, ToOwned::to_owned);
        Some(held.shown.clone())
    }

    /// Ends a credential's lifetime. Tokens already handed out live on.
    pub(crate) fn expire(&mut self, client_id: &str, now: OffsetDateTime) -> bool {
        let Some(held) = self.held_mut(client_id) else {
            return false;
        };
        held.shown.expires_at = now;
        true
    }

    /// A token without a request, for tests of the API alone.
    pub(crate) fn issue(&mut self, client_id: &str, now: OffsetDateTime) -> Option<String> {
        self.held(client_id)?;
        let token = random::text::<32>();
        let expires_at = now + self.settings.token_lifetime;
        self.issued.insert(
            token.clone(),
            Issued {
                client_id: client_id.to_owned(),
                expires_at,
            },
        );
        Some(token)
    }

    fn held(&self, client_id: &str) -> Option<&Held> {
        self.held
            .iter()
            .find(|held| held.shown.client_id == client_id)
    }

    fn held_mut(&mut self, client_id: &str) -> Option<&mut Held> {
        self.held
            .iter_mut()
            .find(|held| held.shown.client_id == client_id)
    }

    // The token endpoint

    /// The form a request counts as, and the client ID it names.
    pub(crate) fn recognise(&self, request: &TokenRequest) -> (Form, Option<String>) {
        self.choose(request).map_or((Form::Unknown, None), |it| {
            (it.form, Some(it.client_id.clone()))
        })
    }

    pub(crate) fn answer_token_request(
        &mut self,
        request: &TokenRequest,
        peer: IpAddr,
        now: OffsetDateTime,
    ) -> Answer {
        let client_id = self.recognise(request).1.unwrap_or_default();
        if !self.spend(&client_id, now) {
            return self.labelled(&client_id, Answer::empty(429), now);
        }
        let answer = self.exchange(request, peer, now);
        self.labelled(&client_id, answer, now)
    }

    /// The claim whose secret is right, else the likeliest one.
    fn choose<'a>(&self, request: &'a TokenRequest) -> Option<&'a Claim> {
        let is_right = |claim: &&Claim| {
            self.held(&claim.client_id)
                .is_some_and(|held| held.shown.client_secret == claim.client_secret)
        };
        request
            .claims
            .iter()
            .find(is_right)
            .or(request.claims.first())
    }

    /// The vendor publishes none of these refusals: codes follow RFC 6749 §5.2, texts are our best reading.
    fn exchange(&mut self, request: &TokenRequest, peer: IpAddr, now: OffsetDateTime) -> Answer {
        let Some(claim) = self.choose(request) else {
            return Answer::oauth_error(400, "invalid_request", None);
        };
        let is_known = |form| self.settings.accepted.contains(&form);
        let is_accepted = is_known(claim.form) || (request.is_plain && is_known(Form::BasicRaw));
        if !is_accepted {
            return form_unknown(claim.form);
        }
        let held = self
            .held(&claim.client_id)
            .filter(|held| held.shown.client_secret == claim.client_secret);
        let Some(held) = held else {
            return invalid_client(claim.form, Some("Bad client credentials"));
        };
        if held.shown.expires_at <= now {
            return invalid_client(claim.form, Some("Client credentials have expired"));
        }
        if !self.settings.is_api_enabled {
            return Answer::oauth_error(403, "access_denied", Some("API access is disabled"));
        }
        if !is_allowed(&held.allowed_subnets, peer) {
            let text = format!("Source address {} is not allowed", peer.to_canonical());
            return Answer::oauth_error(403, "access_denied", Some(&text));
        }
        match &request.grant_type {
            GrantType::NoBody => {}
            GrantType::Given(name) if name == "client_credentials" => {}
            GrantType::Given(_) => return Answer::oauth_error(400, "unsupported_grant_type", None),
            GrantType::Missing => {
                return Answer::oauth_error(400, "invalid_request", Some("grant_type is missing"));
            }
        }
        let scope = scope(&held.permissions);
        let token = self.issue(&claim.client_id, now);
        let body = json!({
            "access_token": token,
            "token_type": "bearer",
            "expires_in": self.settings.token_lifetime.as_secs(),
            "scope": scope,
        });
        Answer::json(200, &body).header("Cache-Control", "no-store")
    }

    // The protected API

    pub(crate) fn answer_api_request(
        &mut self,
        bearer: Option<&str>,
        method: &Method,
        path: &str,
        peer: IpAddr,
        now: OffsetDateTime,
    ) -> Judged {
        let live = bearer
            .and_then(|token| self.issued.get(token))
            .filter(|issued| now < issued.expires_at);
        let Some(client_id) = live.map(|issued| issued.client_id.clone()) else {
            let answer = Answer::api_error(
                401,
                "UNAUTHORIZED",
                "The access token is missing, unknown or expired",
            )
            .header("WWW-Authenticate", r#"Bearer error="invalid_token""#);
            return Judged {
                answer: self.labelled("", answer, now),
                client_id: None,
            };
        };
        let answer = if self.spend(&client_id, now) {
            self.resource(&client_id, method, path, peer)
        } else {
            Answer::empty(429)
        };
        Judged {
            answer: self.labelled(&client_id, answer, now),
            client_id: Some(client_id),
        }
    }

    fn resource(&self, client_id: &str, method: &Method, path: &str, peer: IpAddr) -> Answer {
        let held = self
            .held(client_id)
            .expect("revoking a credential takes its tokens away");
        if !self.settings.is_api_enabled {
            return Answer::api_error(403, "API_DISABLED", "API access is disabled");
        }
        if !is_allowed(&held.allowed_subnets, peer) {
            let text = format!("Source address {} is not allowed", peer.to_canonical());
            return Answer::api_error(403, "SOURCE_NOT_ALLOWED", &text);
        }
        let reads = [Method::GET, Method::HEAD].contains(method);
        let needed = if reads {
            Permission::Read
        } else {
            Permission::Write
        };
        if !held.permissions.contains(&needed) {
            let text = format!("The credentials have no {} permission", scope(&[needed]));
            return Answer::api_error(403, "FORBIDDEN", &text);
        }
        if reads && path == "/api/v1/networks" {
            return Answer::json(200, &networks());
        }
        Answer::json(200, &json!({ "path": path, "method": method.as_str() }))
    }

    // The rate limit

    /// Only a known credential has a limit to draw on.
    fn spend(&mut self, client_id: &str, now: OffsetDateTime) -> bool {
        self.held_mut(client_id)
            .and_then(|held| held.bucket.as_mut())
            .is_none_or(|bucket| bucket.spend(now))
    }

    /// Puts the limit's headers on an answer; one to nobody known shows a limit not drawn on.
    pub(crate) fn labelled(&self, client_id: &str, answer: Answer, now: OffsetDateTime) -> Answer {
        let Some(limit) = self.settings.rate_limit else {
            return answer;
        };
        match self.held(client_id).and_then(|held| held.bucket.as_ref()) {
            Some(bucket) => bucket.label(answer, now),
            None => Bucket::full(limit, now).label(answer, now),
        }
    }
}

/// What a server says that does not know this form.
fn form_unknown(form: Form) -> Answer {
    match form {
        Form::Basic | Form::BasicRaw => invalid_client(form, None),
        _ => Answer::oauth_error(400, "invalid_request", None),
    }
}

/// RFC 6749 §5.2: the challenge is owed where the client tried HTTP authentication.
fn invalid_client(form: Form, description: Option<&str>) -> Answer {
    let answer = Answer::oauth_error(401, "invalid_client", description);
    match form {
        Form::Basic | Form::BasicRaw | Form::Json => {
            answer.header("WWW-Authenticate", r#"Basic realm="cloudconnexa-sandbox""#)
        }
        _ => answer,
    }
}

fn scope(permissions: &[Permission]) -> String {
    let names = permissions.iter().map(|permission| match permission {
        Permission::Read => "read",
        Permission::Write => "write",
    });
    names.collect::<Vec<_>>().join(" ")
}

fn networks() -> serde_json::Value {
    json!([
        { "id": "7f3a0c1e-0000-4000-8000-000000000001", "name": "office", "description": "", "internetAccess": "LOCAL" },
        { "id": "7f3a0c1e-0000-4000-8000-000000000002", "name": "datacenter", "description": "", "internetAccess": "LOCAL" },
    ])
}
