//! Error responses: their text and the kind of refusal (RFC 6749 §5.2). No I/O.

use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use super::error::{ExchangeError, Refusal};
use super::request::HttpRequest;
use crate::types::quote::quote;

/// The body of an error response.
pub(super) struct ErrorBody<'a> {
    pub(super) bytes: &'a [u8],
    /// The `Content-Encoding` of a body that is compressed although `identity` was requested.
    pub(super) encoding: Option<&'a str>,
}

/// Parses a response that refuses a request.
pub(super) fn oauth_error(
    status: u16,
    body: &ErrorBody<'_>,
    request: &HttpRequest,
) -> ExchangeError {
    let error = wire_error(body.bytes).and_then(|wire| {
        wire.code()
            .map(|error| shown(error, |text| request.redact(text)))
    });
    let error = error.filter(|error| !error.is_empty() && error.len() <= 60);
    let description = error_text(body, request);
    let text = format!(
        "{} {}",
        error.as_deref().unwrap_or(""),
        description.as_deref().unwrap_or("")
    );
    ExchangeError::Refused {
        refusal: classify(status, error.as_deref(), &text.to_ascii_lowercase()),
        status,
        error_code: error,
        server_text: description,
    }
}

/// Determines the kind of refusal. The vendor does not publish its texts, so this searches for
/// words that such texts usually contain. If none is found, the status decides.
fn classify(status: u16, error: Option<&str>, text: &str) -> Refusal {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["expired"]) {
        Refusal::Expired
    } else if says(&[
        "subnet",
        "source address",
        "ip address",
        "source ip",
        "address is not allowed",
    ]) {
        Refusal::SourceAddress
    } else if says(&["api"]) && says(&["disabled", "not enabled", "enable api", "turned off"]) {
        Refusal::ApiDisabled
    } else if matches!(
        error,
        Some(
            "invalid_request"
                | "invalid_scope"
                | "invalid_target"
                | "unsupported_grant_type"
                | "unauthorized_client"
        )
    ) || matches!(status, 415 | 422)
    {
        Refusal::Request
    } else if status == 403 {
        Refusal::Forbidden
    } else {
        Refusal::Credentials
    }
}

/// The text of an error response, quoted. Every form of the secret is removed, because a server may
/// repeat parts of the request.
pub(super) fn error_text(body: &ErrorBody<'_>, request: &HttpRequest) -> Option<String> {
    redacted_error_text(body, |text| request.redact(text))
}

/// Like [`error_text`], with another redaction.
pub(super) fn redacted_error_text(
    body: &ErrorBody<'_>,
    redact: impl Fn(&str) -> String,
) -> Option<String> {
    if let Some(encoding) = body.encoding {
        return Some(format!("a body compressed with {}", quote(encoding)));
    }
    let body = body.bytes;
    let text = Zeroizing::new(match wire_error(body) {
        Some(wire) => wire.text().unwrap_or_default().to_owned(),
        None if body.trim_ascii_start().starts_with(b"<") => "an HTML page".to_owned(),
        None => String::from_utf8_lossy(body).into_owned(),
    });
    Some(shown(&text, redact)).filter(|text| !text.is_empty())
}

/// Redacts and quotes a text of a server.
fn shown(text: &str, redact: impl Fn(&str) -> String) -> String {
    quote(&redact(text))
}

/// Returns whether the body is an error object: it has an `error` (RFC 6749 §5.2) or the vendor's
/// `errorMessage`.
pub(super) fn has_error(body: &[u8]) -> bool {
    wire_error(body).is_some_and(|wire| {
        let has_code = wire.code().is_some_and(|code| !code.is_empty());
        has_code
            || matches!(wire.error, Some(WireCode::Object { .. }))
            || wire.error_message.is_some()
    })
}

/// The JSON text of a body, without the byte order mark that some servers write before it.
pub(super) fn json_text(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn wire_error(body: &[u8]) -> Option<WireError> {
    serde_json::from_slice(json_text(body)).ok()
}

/// The error object of RFC 6749 §5.2, with the `message` that other servers send instead.
#[derive(Deserialize)]
struct WireError {
    error: Option<WireCode>,
    error_description: Option<String>,
    /// The field of the vendor's API.
    #[serde(rename = "errorMessage")]
    error_message: Option<String>,
    message: Option<String>,
}

/// `error` as a string, or as an object with its own message.
#[derive(Deserialize)]
#[serde(untagged)]
enum WireCode {
    Text(String),
    Object { message: Option<String> },
}

impl WireError {
    /// The error code.
    fn code(&self) -> Option<&str> {
        match &self.error {
            Some(WireCode::Text(code)) => Some(code),
            _ => None,
        }
    }

    /// The text for people.
    fn text(&self) -> Option<&str> {
        let nested = match &self.error {
            Some(WireCode::Object { message }) => message.as_deref(),
            _ => None,
        };
        [
            self.error_description.as_deref(),
            self.error_message.as_deref(),
            self.message.as_deref(),
            nested,
            self.code(),
        ]
        .into_iter()
        .flatten()
        .next()
    }
}

/// Wipes the texts, because a server may repeat parts of the request, including the secret.
impl Drop for WireError {
    fn drop(&mut self) {
        match &mut self.error {
            Some(WireCode::Text(text)) => text.zeroize(),
            Some(WireCode::Object { message }) => message.zeroize(),
            None => {}
        }
        self.error_description.zeroize();
        self.error_message.zeroize();
        self.message.zeroize();
    }
}
