//! Access to the API: which token may do what. No I/O.

use std::net::IpAddr;

use hyper::{Method, StatusCode};

use crate::api::{ApiError, ApiRequest};
use crate::credential::Permission;
use crate::http_response::HttpResponse;
use crate::tenant::Tenant;

/// A response and the client ID of the token that the request contained.
pub(crate) struct ApiOutcome {
    pub(crate) response: HttpResponse,
    pub(crate) client_id: Option<String>,
}

impl Tenant {
    pub(crate) fn answer_api_request(
        &mut self,
        bearer: Option<&str>,
        request: &ApiRequest<'_>,
        peer: IpAddr,
    ) -> ApiOutcome {
        let client_id = bearer.and_then(|token| self.owner_of(token, request.now));
        let response = match &client_id {
            None => ApiError::new(
                StatusCode::UNAUTHORIZED,
                "The access token is missing, unknown or expired",
            )
            .response()
            .header("WWW-Authenticate", r#"Bearer error="invalid_token""#),
            Some(client_id) if !self.use_request(client_id, request.now) => {
                HttpResponse::empty(429)
            }
            Some(client_id) => match self.check_access(client_id, request, peer) {
                Ok(()) => self.api.answer(request),
                Err(error) => error.response(),
            },
        };
        let named = client_id.as_deref().unwrap_or_default();
        ApiOutcome {
            response: self.add_rate_limit(named, response, request.now),
            client_id,
        }
    }

    fn check_access(
        &self,
        client_id: &str,
        request: &ApiRequest<'_>,
        peer: IpAddr,
    ) -> Result<(), ApiError> {
        let forbidden = |text: &str| Err(ApiError::new(StatusCode::FORBIDDEN, text));
        let stored = self
            .stored(client_id)
            .expect("revoking a credential revokes its tokens");
        if !self.settings.is_api_enabled {
            return forbidden("API access is disabled");
        }
        if !stored.allows(peer) {
            return forbidden(&format!(
                "Source address {} is not allowed",
                peer.to_canonical()
            ));
        }
        let resource = request.resource().ok_or_else(ApiError::unknown_path)?;
        let is_read = [Method::GET, Method::HEAD].contains(request.method);
        let (needed, name) = if is_read {
            (Permission::Read, "read")
        } else {
            (Permission::Write, "write")
        };
        if !stored.spec.permissions.contains(&needed) {
            return forbidden(&format!("The credentials have no {name} permission"));
        }
        let resources = &stored.spec.resources;
        if !resources.is_empty() && !resources.contains(&resource) {
            return forbidden("The credentials have no permission for this resource");
        }
        Ok(())
    }
}
