//! The forms in which a token request can be made, and how one is read. Pure: bytes in, claims out.

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
    /// HTTP Basic with form-encoded id and secret (RFC 6749 §2.3.1); form body or none.
    ///
    /// Where encoded and plain are the same bytes, a request counts as this one.
    Basic,
    /// HTTP Basic with id and secret as they are; form body or none.
    BasicRaw,
    /// `client_id`, `client_secret` and `grant_type` in the form body.
    Body,
    /// The three as query parameters: the form the vendor documents.
    Query,
    /// HTTP Basic, plain, with a JSON body: what the vendor's Go client and Terraform provider send.
    Json,
    /// None of these, or two at once (which RFC 6749 §2.3 forbids).
    Unknown,
}

impl Form {
    /// Every form a server can know.
    pub const ALL: [Self; 5] = [
        Self::Basic,
        Self::BasicRaw,
        Self::Body,
        Self::Query,
        Self::Json,
    ];

    /// The name that flags, log and record use.
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
                    "`{text}` is none of {}",
                    Self::ALL.map(Self::name).join(", ")
                )
            })
    }
}

/// One way to read the credentials of a request. Has no `Debug`: it holds the secret.
pub(crate) struct Claim {
    pub(crate) form: Form,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

/// A token request, read as far as that goes without knowing any credential.
pub(crate) struct TokenRequest {
    /// Empty: no credentials in any known form. Two: HTTP Basic that may or may not be encoded.
    pub(crate) claims: Vec<Claim>,
    /// Encoded and plain reading of HTTP Basic are the same, so a server for either takes it.
    pub(crate) is_plain: bool,
    pub(crate) grant_type: GrantType,
}

/// What the request says of its grant type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum GrantType {
    /// It has no body at all; with HTTP Basic that stands for `client_credentials`.
    NoBody,
    /// It has a body (or a query) that does not say.
    Missing,
    Given(String),
}

impl TokenRequest {
    pub(crate) fn read(query: &str, headers: &HeaderMap, body: &[u8]) -> Self {
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
                claims: vec![claim(Form::Json, id, secret)],
                is_plain: false,
                grant_type: json_grant_type(body),
            },
            Some((id, secret)) => Self {
                is_plain: is_plain(&id) && is_plain(&secret),
                claims: basic_claims(id, secret),
                grant_type: if body.is_empty() {
                    GrantType::NoBody
                } else {
                    grant_type(&form)
                },
            },
            None => [(Form::Query, query), (Form::Body, form)]
                .into_iter()
                .find_map(|(kind, pairs)| {
                    let claim = claim(
                        kind,
                        value(&pairs, "client_id")?,
                        value(&pairs, "client_secret")?,
                    );
                    Some(Self {
                        claims: vec![claim],
                        is_plain: false,
                        grant_type: grant_type(&pairs),
                    })
                })
                .unwrap_or_else(Self::unknown),
        }
    }

    fn unknown() -> Self {
        Self {
            claims: Vec::new(),
            is_plain: false,
            grant_type: GrantType::Missing,
        }
    }
}

fn claim(form: Form, client_id: String, client_secret: String) -> Claim {
    Claim {
        form,
        client_id,
        client_secret,
    }
}

/// The encoded reading first, where the text can be an encoded one at all.
fn basic_claims(id: String, secret: String) -> Vec<Claim> {
    if is_plain(&id) && is_plain(&secret) {
        return vec![claim(Form::Basic, id, secret)];
    }
    let decoded = form_decoded(&id).zip(form_decoded(&secret));
    let encoded = decoded.map(|(id, secret)| claim(Form::Basic, id, secret));
    encoded
        .into_iter()
        .chain([claim(Form::BasicRaw, id, secret)])
        .collect()
}

/// Id and secret of `Authorization: Basic`, split at the first colon, not yet decoded further.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, value) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(value.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// Characters that no form-encoder in use touches (RFC 6749 appendix B and RFC 3986 §2.3 agree on them).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(is_unreserved)
}

/// The decoded text, or nothing where an encoder cannot have made it: a stray `%`, a bare `/`, …
///
/// `*` and `~` are allowed bare, since encoders differ on these two.
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
        let claims = basic_claims(id.to_owned(), secret.to_owned());
        claims
            .into_iter()
            .map(|claim| (claim.form, claim.client_secret))
            .collect()
    }

    #[test]
    fn a_secret_of_unreserved_characters_reads_only_one_way() {
        assert_eq!(
            forms("a.b", "se-c_r.et9"),
            [(Form::Basic, "se-c_r.et9".to_owned())],
            "both readings are the same"
        );
    }

    #[test]
    fn an_encoded_secret_can_also_be_a_plain_one_and_the_tenant_decides() {
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
    fn a_secret_that_no_encoder_makes_reads_as_plain_only() {
        for secret in ["sec:ret/+%&= ~", "100%", "a%zz", "tail%4", "é"] {
            assert_eq!(
                forms("a.b", secret),
                [(Form::BasicRaw, secret.to_owned())],
                "{secret:?} is no encoder's work"
            );
        }
    }
}
