//! Errors of the token exchange, and their messages.

use std::time::Duration;

use super::http::TransportError;
use super::message::{ErrorClass, ErrorMessage};
use crate::types::duration::show;
use crate::types::token::MalformedToken;
use crate::types::uri::UriError;

/// The error of an exchange without a token. No variant contains a secret or an unquoted text of
/// the server.
#[derive(Debug, Clone)]
pub(crate) enum ExchangeError {
    /// The server refused the request; the same request will be refused again.
    Refused {
        /// The kind of refusal, if the response shows it.
        refusal: Refusal,
        /// The HTTP status.
        status: u16,
        /// The `error` of the response (RFC 6749 §5.2), quoted.
        error_code: Option<String>,
        /// The `error_description` or another text of the response, quoted.
        server_text: Option<String>,
    },
    /// 429: too many requests with this credential. A retry helps after `pause`.
    RateLimited {
        /// The waiting time that the server requests, at most 5 minutes.
        pause: Option<Duration>,
    },
    /// The server failed (408, 425, 5xx). A retry may help at once.
    ServerError {
        /// The HTTP status.
        status: u16,
        /// The text of the response, quoted.
        server_text: Option<String>,
    },
    /// The response is not a token. A retry at once does not help.
    InvalidResponse(InvalidResponse),
    /// No response arrived.
    Transport(Box<TransportError>),
}

/// The kind of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Unknown client ID or wrong secret, according to the server.
    Credentials,
    /// The switch "Enable API" is off.
    ApiDisabled,
    /// The credential is limited to other source addresses.
    SourceAddress,
    /// The credential has expired.
    Expired,
    /// The request is wrong: grant type, scope, audience or authentication method.
    Request,
    /// 403 without a reason.
    Forbidden,
}

/// A response that is not a token.
#[derive(Debug, Clone)]
pub(crate) enum InvalidResponse {
    /// A status that the token endpoint does not use.
    Status {
        /// The HTTP status.
        status: u16,
        /// The text of the response, quoted.
        server_text: Option<String>,
    },
    /// The body is not the JSON of RFC 6749 §5.1.
    NotJson(BodyKind),
    /// The body is compressed although `identity` was requested: its `Content-Encoding`, quoted.
    Compressed(String),
    /// The `token_type` is not `bearer`; quoted.
    TokenType(String),
    /// The access token cannot be used.
    AccessToken(MalformedToken),
    /// The token had expired before it was sent.
    Expired,
    /// The token expired while it was sent.
    ExpiredInTransit,
    /// The token has this lifetime, which is too short for the request. Earlier tokens of this
    /// server had a sufficient lifetime.
    TooLittleLife(Duration),
    /// A redirect with a status that cannot be followed.
    RedirectStatus(u16),
    /// A redirect to another origin.
    RedirectOrigin(String),
    /// A redirect to an invalid URL.
    RedirectTarget {
        /// The target without its query, quoted.
        location: String,
        /// The error in the URL.
        error: UriError,
    },
    /// More redirects than this limit.
    TooManyRedirects(usize),
}

/// The kind of a body that is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// An HTML page, probably of a proxy or a login portal.
    Html,
    /// An empty body.
    Empty,
    /// Any other content.
    Other,
}

impl From<Box<TransportError>> for ExchangeError {
    fn from(error: Box<TransportError>) -> Self {
        Self::Transport(error)
    }
}

impl ExchangeError {
    /// Returns whether the cause is in the settings or the network of this process. Such an error
    /// does not show that the endpoint fails for other callers.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Transport(error) if error.is_local())
    }

    /// The class of the error.
    pub(crate) fn class(&self) -> ErrorClass {
        match self {
            Self::Refused { .. } => ErrorClass::Refused,
            Self::RateLimited { .. } => ErrorClass::RateLimited,
            Self::ServerError { .. } => ErrorClass::Unavailable,
            Self::InvalidResponse(_) => ErrorClass::Unusable,
            Self::Transport(error) => error.message().class,
        }
    }

    /// The message of the error.
    pub(crate) fn message(&self) -> ErrorMessage {
        let answered = |status: u16| format!("it answered {status}");
        let (reason, detail) = match self {
            Self::Refused {
                status,
                server_text,
                ..
            }
            | Self::ServerError {
                status,
                server_text,
            } => (answered(*status), quoted(server_text.as_deref())),
            Self::RateLimited { .. } => (answered(429), None),
            Self::InvalidResponse(invalid) => return invalid.message(),
            Self::Transport(error) => return error.message(),
        };
        ErrorMessage {
            class: self.class(),
            reason,
            detail,
            hint: None,
        }
    }
}

#[cfg(test)]
impl ExchangeError {
    /// The message if the caller's time limit ended the request.
    pub(crate) fn timed_out() -> Self {
        Self::Transport(Box::new(TransportError::deadline_exceeded()))
    }
}

impl InvalidResponse {
    fn message(&self) -> ErrorMessage {
        let (reason, detail) = match self {
            Self::Status {
                status,
                server_text,
            } => (
                format!("it answered {status}"),
                quoted(server_text.as_deref()),
            ),
            Self::NotJson(kind) => (
                "the answer is not JSON with an access token".to_owned(),
                Some(kind.text().to_owned()),
            ),
            Self::Compressed(encoding) => (
                format!("the response is compressed (`{encoding}`)"),
                Some("the request asked for `Accept-Encoding: identity`".to_owned()),
            ),
            Self::TokenType(kind) => (
                format!("its type is `{kind}` where `bearer` is needed"),
                None,
            ),
            Self::AccessToken(error) => (
                "the access token cannot be used".to_owned(),
                Some(error.to_string()),
            ),
            Self::Expired => (
                "the access token it gave has expired already".to_owned(),
                Some("its `expires_in`, or its own `exp`, is over".to_owned()),
            ),
            Self::ExpiredInTransit => (
                "the access token it gave has expired on the way".to_owned(),
                None,
            ),
            Self::TooLittleLife(life) => (
                format!("its access token is valid for only {}", show(*life)),
                Some(
                    "an earlier one lived longer: the server may keep a token for its clients"
                        .to_owned(),
                ),
            ),
            Self::RedirectStatus(status) => (
                format!("it answered {status}, which leads to no token"),
                None,
            ),
            Self::RedirectOrigin(origin) => {
                (format!("it redirected to {origin}, another origin"), None)
            }
            Self::RedirectTarget { location, error } => (
                format!("it redirected to `{location}`"),
                Some(error.to_string()),
            ),
            Self::TooManyRedirects(most) => (format!("it redirected more than {most} times"), None),
        };
        ErrorMessage {
            class: ErrorClass::Unusable,
            reason,
            detail,
            hint: self.hint().map(str::to_owned),
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Status {
                status: 404 | 405 | 410,
                ..
            } => Some(
                "check `cloud_id` or `base_url`; an older tenant has its token endpoint at \
                 /api/beta/oauth/token (set `token_url`)",
            ),
            Self::TooLittleLife(_) => Some("retry later, or ask for less with `--min-ttl`"),
            Self::Compressed(_) => Some("check the proxy or gateway in front of the server"),
            Self::TooManyRedirects(_) => Some("check `cloud_id`, `base_url` or `token_url`"),
            Self::RedirectStatus(_) | Self::RedirectOrigin(_) | Self::RedirectTarget { .. } => {
                Some("check `cloud_id`, `base_url` or `token_url`; credentials are never sent on")
            }
            _ => None,
        }
    }
}

impl BodyKind {
    /// Determines the kind of a body that is not JSON.
    pub(super) fn of(body: &[u8]) -> Self {
        if body.is_empty() {
            Self::Empty
        } else if body.trim_ascii_start().starts_with(b"<") {
            Self::Html
        } else {
            Self::Other
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::Html => "an HTML page, perhaps a proxy's or a login portal's",
            Self::Empty => "an empty body",
            Self::Other => "something that is not the JSON of RFC 6749 section 5.1",
        }
    }
}

fn quoted(text: Option<&str>) -> Option<String> {
    text.map(|text| format!("\"{text}\""))
}
