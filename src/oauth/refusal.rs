//! What a bad answer says, and what kind of refusal it is. No I/O.

use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

use super::failure::{Failure, Refusal};
use super::request::Composed;
use super::response::Answer;
use crate::quote::{clean, quote};

/// Reads a refusal.
pub(super) fn read_refusal(answer: &Answer, asked: &Composed) -> Failure {
    let error = wire_error(&answer.body).and_then(|wire| {
        wire.error
            .as_deref()
            .map(|error| shown(error, |text| asked.redact(text)))
    });
    let error = error.filter(|error| !error.is_empty() && error.len() <= 60);
    let description = told(&answer.body, asked);
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
pub(super) fn told(body: &[u8], asked: &Composed) -> Option<String> {
    told_by(body, |text| asked.redact(text))
}

/// The same with another way to take out what must not be shown.
pub(super) fn told_by(body: &[u8], redact: impl Fn(&str) -> String) -> Option<String> {
    let text = Zeroizing::new(match wire_error(body) {
        Some(wire) => {
            let told = [&wire.error_description, &wire.message, &wire.error];
            told.into_iter()
                .flatten()
                .next()
                .cloned()
                .unwrap_or_default()
        }
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

fn wire_error(body: &[u8]) -> Option<WireError> {
    serde_json::from_slice(body).ok()
}

/// RFC 6749 §5.2, and the `message` that other servers put in its place.
#[derive(Deserialize)]
struct WireError {
    error: Option<String>,
    error_description: Option<String>,
    #[serde(alias = "errorMessage")]
    message: Option<String>,
}

/// A server may repeat there what it was sent.
impl Drop for WireError {
    fn drop(&mut self) {
        self.error.zeroize();
        self.error_description.zeroize();
        self.message.zeroize();
    }
}
