//! The forms of a token request and their parser. No I/O.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use percent_encoding::percent_decode_str;
use serde::Serialize;

/// How a token request carries the credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// HTTP Basic with form-encoded ID and secret (RFC 6749 §2.3.1); form body or none.
    ///
    /// A request whose encoded and plain bytes are the same counts as this form.
    Basic,
    /// HTTP Basic without encoding of ID and secret; form body or none.
    BasicRaw,
    /// `client_id`, `client_secret` and `grant_type` in the form body.
    Body,
    /// The same three as query parameters: the form that the vendor documents.
    Query,
    /// HTTP Basic without encoding and a JSON body: the form of the vendor's Go client and Terraform provider.
    Json,
    /// None of these, or two at once (which RFC 6749 §2.3 forbids).
    Unknown,
}

impl Form {
    /// All forms that a server can accept.
    pub const ALL: [Self; 5] = [
        Self::Basic,
        Self::BasicRaw,
        Self::Body,
        Self::Query,
        Self::Json,
    ];

    /// The name in flags, in the log and in the record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::BasicRaw => "basic-raw",
            Self::Body => "body",
            Self::Query => "query",
            Self::Json => "json",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Form {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|form| form.name() == text)
            .ok_or_else(|| {
                format!(
                    "`{text}` is not a form; the forms are {}",
                    Self::ALL.map(Self::name).join(", ")
                )
            })
    }
}

/// One reading of the credentials in a request. Without `Debug`, because it holds the secret.
pub(crate) struct ClientCredentials {
    pub(crate) form: Form,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

/// A parsed token request.
pub(crate) struct TokenRequest {
    /// Empty without credentials in a known form. Two for HTTP Basic that may or may not be encoded.
    pub(crate) readings: Vec<ClientCredentials>,
    /// HTTP Basic of unreserved characters only: the encoded and the plain reading are the same.
    pub(crate) is_unreserved: bool,
    pub(crate) grant_type: GrantType,
}

/// The grant type of a token request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GrantType {
    /// The request has no body; with HTTP Basic this means `client_credentials`.
    NoBody,
    /// The body or query has no `grant_type`.
    Missing,
    Given(String),
}

impl TokenRequest {
    pub(crate) fn parse(query: &str, headers: &HeaderMap, body: &[u8]) -> Self {
        let is_json = body.trim_ascii_start().starts_with(b"{");
        let query = pairs(query.as_bytes());
        let form = if is_json || !is_form(headers) {
            Vec::new()
        } else {
            pairs(body)
        };
        let basic = basic(headers);

        let elsewhere = [&query, &form]
            .into_iter()
            .filter(|it| has(it, "client_secret"))
            .count();
        if elsewhere + usize::from(basic.is_some()) > 1 {
            return Self::unknown();
        }
        match basic {
            Some((id, secret)) if is_json => Self {
                readings: vec![credentials(Form::Json, id, secret)],
                is_unreserved: false,
                grant_type: json_grant_type(body),
            },
            Some((id, secret)) => Self {
                is_unreserved: is_unreserved_text(&id) && is_unreserved_text(&secret),
                readings: basic_readings(id, secret),
                grant_type: if body.is_empty() {
                    GrantType::NoBody
                } else {
                    grant_type(&form)
                },
            },
            None => [(Form::Query, query), (Form::Body, form)]
                .into_iter()
                .find_map(|(kind, pairs)| {
                    let reading = credentials(
                        kind,
                        value(&pairs, "client_id")?,
                        value(&pairs, "client_secret")?,
                    );
                    Some(Self {
                        readings: vec![reading],
                        is_unreserved: false,
                        grant_type: grant_type(&pairs),
                    })
                })
                .unwrap_or_else(Self::unknown),
        }
    }

    fn unknown() -> Self {
        Self {
            readings: Vec::new(),
            is_unreserved: false,
            grant_type: GrantType::Missing,
        }
    }
}

fn credentials(form: Form, client_id: String, client_secret: String) -> ClientCredentials {
    ClientCredentials {
        form,
        client_id,
        client_secret,
    }
}

/// The encoded reading, if the text can be encoded text, then the plain one.
fn basic_readings(id: String, secret: String) -> Vec<ClientCredentials> {
    if is_unreserved_text(&id) && is_unreserved_text(&secret) {
        return vec![credentials(Form::Basic, id, secret)];
    }
    let decoded = form_decoded(&id).zip(form_decoded(&secret));
    let encoded = decoded.map(|(id, secret)| credentials(Form::Basic, id, secret));
    encoded
        .into_iter()
        .chain([credentials(Form::BasicRaw, id, secret)])
        .collect()
}

/// ID and secret of `Authorization: Basic`, split at the first colon, without form-decoding.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, value) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// Characters that no form-encoder changes (RFC 6749 appendix B, RFC 3986 §2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

fn is_unreserved_text(text: &str) -> bool {
    text.bytes().all(is_unreserved)
}

/// The decoded text; `None` if no encoder produces such text, for example with a bare `%` or `/`.
///
/// `*` and `~` may be bare, because encoders differ.
fn form_decoded(text: &str) -> Option<String> {
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            (b'+' | b'*' | b'~', _) => tail,
            (byte, _) if is_unreserved(*byte) => tail,
            _ => return None,
        };
    }
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(Into::into)
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    kind.to_ascii_lowercase()
        .starts_with("application/x-www-form-urlencoded")
}

type Pairs = Vec<(String, String)>;

fn pairs(text: &[u8]) -> Pairs {
    form_urlencoded::parse(text).into_owned().collect()
}

fn value(pairs: &Pairs, name: &str) -> Option<String> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
}

fn has(pairs: &Pairs, name: &str) -> bool {
    pairs.iter().any(|(key, _)| key == name)
}

fn grant_type(pairs: &Pairs) -> GrantType {
    value(pairs, "grant_type").map_or(GrantType::Missing, GrantType::Given)
}

fn json_grant_type(body: &[u8]) -> GrantType {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body["grant_type"]
        .as_str()
        .map_or(GrantType::Missing, |text| GrantType::Given(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms(id: &str, secret: &str) -> Vec<(Form, String)> {
        let readings = basic_readings(id.to_owned(), secret.to_owned());
        readings
            .into_iter()
            .map(|reading| (reading.form, reading.client_secret))
            .collect()
    }

    #[test]
    fn unreserved_secret_has_one_reading() {
        assert_eq!(
            forms("a.b", "se-c_r.et9"),
            [(Form::Basic, "se-c_r.et9".to_owned())],
            "both readings are the same"
        );
    }

    #[test]
    fn encoded_secret_has_two_readings() {
        assert_eq!(
            forms("a.b", "x%2Fy+z"),
            [
                (Form::Basic, "x/y z".to_owned()),
                (Form::BasicRaw, "x%2Fy+z".to_owned())
            ],
            "the encoded reading comes first"
        );
    }

    #[test]
    fn secret_that_no_encoder_produces_is_plain() {
        for secret in ["sec:ret/+%&= ~", "100%", "a%zz", "tail%4", "é"] {
            assert_eq!(
                forms("a.b", secret),
                [(Form::BasicRaw, secret.to_owned())],
                "{secret:?} is not encoded text"
            );
        }
    }
}
