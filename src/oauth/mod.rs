//! Exchanges a client ID and a client secret for an access token (RFC 6749 §4.4).
//!
//! `request`, `response` and `oauth_error` do no I/O. `client` performs the exchange. `http` is the
//! only directory that uses ureq. This module does not depend on the cache or on other processes.

mod client;
mod error;
#[cfg(any(test, fuzzing))]
#[path = "../fuzzing/oauth.rs"]
pub(crate) mod fuzzing;
mod http;
mod message;
mod oauth_error;
mod request;
mod response;

use crate::types::uri::Uri;

pub(crate) use client::{TokenGrant, exchange, get};
pub(crate) use error::{ExchangeError, InvalidResponse, Refusal};
pub(crate) use http::{
    CONNECT_LIMIT, Http, HttpSettings, Proxies, SetupError, Stage, TransportCause, TransportError,
    dial,
};
pub(crate) use message::{ErrorClass, ErrorMessage};
pub(crate) use request::Form;
pub(crate) use response::{ApiResponse, date_of};

/// The parameters of a token request, except the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// The token endpoint.
    pub(crate) token_url: Uri,
    /// The complete client ID.
    pub(crate) client_id: String,
    /// The scope to request, if any (RFC 6749 §3.3).
    pub(crate) scope: Option<String>,
    /// The audience to request, if the server requires one (not in the RFC, but widely used).
    pub(crate) audience: Option<String>,
    /// The method that sends the credentials.
    pub(crate) auth_method: AuthMethod,
    /// The form that [`AuthMethod::Auto`] tries after `basic`.
    pub(crate) fallback: Form,
}

/// The method that sends the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    /// `basic` first, then [`Client::fallback`] once if the server refuses `basic`. The form that
    /// worked is stored.
    Auto,
    /// Only this form.
    Fixed(Form),
}

impl AuthMethod {
    /// All names, for messages.
    pub(crate) const NAMES: [&str; 6] = ["auto", "basic", "basic-raw", "body", "query", "json"];

    /// The name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fixed(form) => form.name(),
        }
    }

    /// Parses a name of the configuration.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if name == "auto" {
            Some(Self::Auto)
        } else {
            Form::parse(name).map(Self::Fixed)
        }
    }
}
