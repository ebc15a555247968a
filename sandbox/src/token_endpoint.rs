//! The token endpoint: which request gets a token. No I/O.

use std::net::IpAddr;

use serde_json::json;
use time::OffsetDateTime;

use crate::credential::scope;
use crate::http_response::HttpResponse;
use crate::tenant::Tenant;
use crate::token_request::{ClientCredentials, Form, GrantType, TokenRequest};

impl Tenant {
    /// The form that a request counts as, and the client ID that it contains.
    pub(crate) fn classify(&self, request: &TokenRequest) -> (Form, Option<String>) {
        self.select(request).map_or((Form::Unknown, None), |it| {
            (it.form, Some(it.client_id.clone()))
        })
    }

    pub(crate) fn answer_token_request(
        &mut self,
        request: &TokenRequest,
        peer: IpAddr,
        now: OffsetDateTime,
    ) -> HttpResponse {
        let client_id = self.classify(request).1.unwrap_or_default();
        let response = if self.use_request(&client_id, now) {
            let token = self.exchange(request, peer, now);
            token.unwrap_or_else(|refusal| refusal)
        } else {
            HttpResponse::empty(429)
        };
        self.add_rate_limit(&client_id, response, now)
    }

    /// The reading of the credentials with the right secret, or else the first one.
    fn select<'a>(&self, request: &'a TokenRequest) -> Option<&'a ClientCredentials> {
        let mut readings = request.readings.iter();
        readings
            .find(|it| self.has_right_secret(it))
            .or(request.readings.first())
    }

    fn has_right_secret(&self, presented: &ClientCredentials) -> bool {
        self.stored(&presented.client_id)
            .is_some_and(|it| it.credential.client_secret == presented.client_secret)
    }

    /// Returns the token or the refusal. The vendor does not publish refusals: the codes follow
    /// RFC 6749 §5.2, the texts are a guess.
    fn exchange(
        &mut self,
        request: &TokenRequest,
        peer: IpAddr,
        now: OffsetDateTime,
    ) -> Result<HttpResponse, HttpResponse> {
        let presented = self
            .select(request)
            .ok_or_else(|| HttpResponse::oauth_error(400, "invalid_request", None))?;
        let form = presented.form;
        let is_known = |form| self.settings.accepted.contains(&form);
        let is_accepted = is_known(form) || (request.is_unreserved && is_known(Form::BasicRaw));
        if !is_accepted {
            return Err(unknown_form(form));
        }
        let stored = self.stored(&presented.client_id);
        let stored = stored
            .filter(|_| self.has_right_secret(presented))
            .ok_or_else(|| invalid_client(form, Some("Bad client credentials")))?;
        if stored.credential.expires_at <= now {
            return Err(invalid_client(
                form,
                Some("Client credentials have expired"),
            ));
        }
        if !self.settings.is_api_enabled {
            return Err(access_denied("API access is disabled"));
        }
        if !stored.allows(peer) {
            let text = format!("Source address {} is not allowed", peer.to_canonical());
            return Err(access_denied(&text));
        }
        check_grant_type(&request.grant_type)?;
        let scope = scope(&stored.spec.permissions);
        let body = json!({
            "access_token": self.issue(&presented.client_id, now),
            "token_type": "bearer",
            "expires_in": self.settings.token_lifetime.as_secs(),
            "scope": scope,
        });
        Ok(HttpResponse::json(200, &body).header("Cache-Control", "no-store"))
    }
}

fn check_grant_type(grant_type: &GrantType) -> Result<(), HttpResponse> {
    match grant_type {
        GrantType::NoBody => Ok(()),
        GrantType::Given(name) if name == "client_credentials" => Ok(()),
        GrantType::Given(_) => Err(HttpResponse::oauth_error(
            400,
            "unsupported_grant_type",
            None,
        )),
        GrantType::Missing => {
            let text = Some("grant_type is missing");
            Err(HttpResponse::oauth_error(400, "invalid_request", text))
        }
    }
}

fn access_denied(description: &str) -> HttpResponse {
    HttpResponse::oauth_error(403, "access_denied", Some(description))
}

/// The response of a server that does not support this form.
fn unknown_form(form: Form) -> HttpResponse {
    match form {
        Form::Basic | Form::BasicRaw => invalid_client(form, None),
        _ => HttpResponse::oauth_error(400, "invalid_request", None),
    }
}

/// RFC 6749 §5.2 requires the challenge if the client used HTTP authentication.
fn invalid_client(form: Form, description: Option<&str>) -> HttpResponse {
    let response = HttpResponse::oauth_error(401, "invalid_client", description);
    match form {
        Form::Basic | Form::BasicRaw | Form::Json => {
            response.header("WWW-Authenticate", r#"Basic realm="cloudconnexa-sandbox""#)
        }
        _ => response,
    }
}
