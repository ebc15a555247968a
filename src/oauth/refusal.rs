//! What a bad answer says, and what kind of refusal it is. No I/O.

use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use super::failure::{Failure, Refusal};
use super::request::Composed;
use super::response::{Answer, json_text};
use crate::quote::{clean, quote};

/// Reads a refusal.
pub(super) fn read_refusal(answer: &Answer, asked: &Composed) -> Failure {
    let error = wire_error(&answer.body).and_then(|wire| {
        wire.code()
            .map(|error| shown(error, |text| asked.redact(text)))
    });
    let error = error.filter(|error| !error.is_empty() && error.len() <= 60);
    let description = told(answer, asked);
    let text = format!(
        "{} {}",
        error.as_deref().unwrap_or(""),
        description.as_deref().unwrap_or("")
    );
    Failure::Refused {
        refusal: classify(answer.status, error.as_deref(), &text.to_ascii_lowercase()),
        status: answer.status,
        error,
        description,
    }
}

/// What kind of refusal a text tells of. The vendor does not publish its texts, so these are the
/// words that such texts cannot well do without; where none fits, the status decides.
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

/// The text of a bad answer, quoted, with every form of the secret taken out: a server that
/// echoes its request must not make us print it.
pub(super) fn told(answer: &Answer, asked: &Composed) -> Option<String> {
    let encoding = answer.encoding.as_deref();
    told_by(&answer.body, encoding, |text| asked.redact(text))
}

/// The same with another redaction; `encoding` is the `Content-Encoding` of a compressed body.
pub(super) fn told_by(
    body: &[u8],
    encoding: Option<&str>,
    redact: impl Fn(&str) -> String,
) -> Option<String> {
    if let Some(encoding) = encoding {
        return Some(format!("a body compressed with {}", quote(encoding)));
    }
    let text = Zeroizing::new(match wire_error(body) {
        Some(wire) => wire.text().unwrap_or_default().to_owned(),
        None if body.trim_ascii_start().starts_with(b"<") => "an HTML page".to_owned(),
        None => String::from_utf8_lossy(body).into_owned(),
    });
    Some(shown(&text, redact)).filter(|text| !text.is_empty())
}

/// A text of a server as it may be shown. What must not be shown is taken out of it as it came and
/// again as it would be read: between the words of a secret there may have been more than a space. Only
/// then it is cut, for a part of a secret is none that is found.
fn shown(text: &str, redact: impl Fn(&str) -> String) -> String {
    quote(&redact(&clean(&redact(text))))
}

/// Whether the body is an error object: an `error` (RFC 6749 §5.2) or the vendor's `errorMessage`.
pub(super) fn has_error(body: &[u8]) -> bool {
    wire_error(body).is_some_and(|wire| {
        let has_code = wire.code().is_some_and(|code| !code.is_empty());
        has_code
            || matches!(wire.error, Some(WireCode::Object { .. }))
            || wire.error_message.is_some()
    })
}

fn wire_error(body: &[u8]) -> Option<WireError> {
    serde_json::from_slice(json_text(body)).ok()
}

/// RFC 6749 §5.2, and the `message` that other servers put in its place.
#[derive(Deserialize)]
struct WireError {
    error: Option<WireCode>,
    error_description: Option<String>,
    /// The vendor's API.
    #[serde(rename = "errorMessage")]
    error_message: Option<String>,
    message: Option<String>,
}

/// `error` as a text, or as an object with its own message.
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

/// A server may repeat there what it was sent.
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
