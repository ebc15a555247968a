//! The exchange: a client ID and a client secret for an access token (RFC 6749 §4.4).
//!
//! `request`, `response` and `oauth_error` do no I/O, `client` makes the exchange, `http` is the only
//! directory that uses ureq. Nothing here knows about the cache or about other processes.

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

/// Who asks where for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// The token endpoint.
    pub(crate) token_url: Uri,
    /// The client ID, whole.
    pub(crate) client_id: String,
    /// The scope to ask for, where one is (RFC 6749 §3.3).
    pub(crate) scope: Option<String>,
    /// The audience to ask for, where the server wants one (not in the RFC; widely used).
    pub(crate) audience: Option<String>,
    /// How the credentials are put into the request.
    pub(crate) auth_method: AuthMethod,
    /// The form that [`AuthMethod::Auto`] tries after `basic`.
    pub(crate) fallback: Form,
}

/// How the credentials are put into the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    /// `basic` first, then [`Client::fallback`] once if the server refuses it; the form that worked is
    /// remembered.
    Auto,
    /// That one and no other.
    Fixed(Form),
}

impl AuthMethod {
    /// Every name there is, for messages.
    pub(crate) const NAMES: [&str; 6] = ["auto", "basic", "basic-raw", "body", "query", "json"];

    /// The name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fixed(form) => form.name(),
        }
    }

    /// Reads a name of the configuration.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if name == "auto" {
            Some(Self::Auto)
        } else {
            Form::parse(name).map(Self::Fixed)
        }
    }
}
