//! The request to the token endpoint, in each form that servers require. No I/O.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Client;
use crate::types::redact::redact;
use crate::types::secret::{Secret, joined};
use crate::types::uri::Uri;

/// The form of a token request: where the credentials are, and the type of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// HTTP Basic with the form-encoded ID and secret, form body (RFC 6749 §2.3.1, §4.4.2).
    Basic,
    /// HTTP Basic with ID and secret without encoding, because some servers do not decode them.
    BasicRaw,
    /// ID and secret in the form body (RFC 6749 §2.3.1).
    Body,
    /// ID and secret in the query, empty body. This is the form that the vendor documents.
    Query,
    /// HTTP Basic, JSON body without a content type. This is the form that the vendor's Go client
    /// sends.
    Json,
}

impl Form {
    /// The name in the configuration and in the cache entry.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::BasicRaw => "basic-raw",
            Self::Body => "body",
            Self::Query => "query",
            Self::Json => "json",
        }
    }

    /// Parses a name of a form.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [
            Self::Basic,
            Self::BasicRaw,
            Self::Body,
            Self::Query,
            Self::Json,
        ]
        .into_iter()
        .find(|form| form.name() == name)
    }
}

/// A complete request for POST. Every part may contain the secret, so it has no `Debug`.
pub(super) struct HttpRequest {
    pub(super) url: Zeroizing<String>,
    pub(super) authorization: Option<Zeroizing<String>>,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Zeroizing<String>,
    secret: Secret,
}

impl HttpRequest {
    /// Removes the secret and this request's `Authorization` value from a text of the server.
    pub(super) fn redact(&self, text: &str) -> String {
        let basic = self
            .authorization
            .as_ref()
            .and_then(|value| value.strip_prefix("Basic "));
        redact(text, &[self.secret.expose(), basic.unwrap_or_default()])
    }
}

const URLENCODED: Option<&str> = Some("application/x-www-form-urlencoded");

/// Builds the request to `url`: the token endpoint, or the target of a redirect within its origin.
pub(super) fn compose(url: &Uri, client: &Client, secret: &Secret, form: Form) -> HttpRequest {
    let id = client.client_id.as_str();
    let plain_url = || Zeroizing::new(url.to_string());
    let credentials = [("client_id", id), ("client_secret", secret.expose())];
    let (url, authorization, content_type, body) = match form {
        Form::Basic => {
            let authorization = basic(&encode(id), &encode(secret.expose()));
            (
                plain_url(),
                Some(authorization),
                URLENCODED,
                parameters(client, &[]),
            )
        }
        Form::BasicRaw => {
            let authorization = basic(id, secret.expose());
            (
                plain_url(),
                Some(authorization),
                URLENCODED,
                parameters(client, &[]),
            )
        }
        Form::Body => (
            plain_url(),
            None,
            URLENCODED,
            parameters(client, &credentials),
        ),
        Form::Query => {
            let (base, separator) = url.before_query();
            let url = joined(&[&base, separator, &parameters(client, &credentials)]);
            (url, None, None, Zeroizing::new(String::new()))
        }
        Form::Json => (
            plain_url(),
            Some(basic(id, secret.expose())),
            None,
            json_body(client),
        ),
    };
    HttpRequest {
        url,
        authorization,
        content_type,
        body,
        secret: secret.clone(),
    }
}

fn parameters(client: &Client, credentials: &[(&str, &str)]) -> Zeroizing<String> {
    let grant = ("grant_type", "client_credentials");
    let scope = client.scope.as_deref().map(|scope| ("scope", scope));
    let audience = client
        .audience
        .as_deref()
        .map(|audience| ("audience", audience));
    let all = credentials
        .iter()
        .copied()
        .chain([grant])
        .chain(scope)
        .chain(audience);
    let pairs: Vec<_> = all.map(|(name, value)| (name, encode(value))).collect();
    let parts = pairs
        .iter()
        .flat_map(|(name, value)| ["&", name, "=", value]);
    joined(&parts.skip(1).collect::<Vec<_>>())
}

fn json_body(client: &Client) -> Zeroizing<String> {
    let scope = client.scope.as_deref().unwrap_or("default");
    let mut body = serde_json::json!({ "grant_type": "client_credentials", "scope": scope });
    if let (Some(audience), Some(object)) = (&client.audience, body.as_object_mut()) {
        object.insert("audience".to_owned(), audience.as_str().into());
    }
    Zeroizing::new(body.to_string())
}

/// Encodes one value as `application/x-www-form-urlencoded`, with a space as `%20`. All form
/// decoders accept `%20`. Servers that decode only percent-encoding (Authlib 1.9) do not decode
/// `+`.
pub(super) fn encode(value: &str) -> Zeroizing<String> {
    // The capacity is for the worst case, so no reallocation leaves a partial copy in memory.
    let mut text = Zeroizing::new(String::with_capacity(value.len() * 3));
    for part in form_urlencoded::byte_serialize(value.as_bytes()) {
        text.push_str(if part == "+" { "%20" } else { part });
    }
    text
}

/// The value of an `Authorization` header (RFC 7617).
fn basic(id: &str, secret: &str) -> Zeroizing<String> {
    let pair = joined(&[id, ":", secret]);
    let mut encoded = Zeroizing::new(vec![0; pair.len().div_ceil(3) * 4]);
    // Encode into a slice: encoding into a `String` uses a buffer inside the library.
    let length = STANDARD.encode_slice(pair.as_bytes(), &mut encoded);
    let encoded = encoded.get(..length.unwrap_or(0)).unwrap_or_default();
    joined(&["Basic ", std::str::from_utf8(encoded).unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    use super::super::AuthMethod;
    use super::{Client, Form, compose};
    use crate::types::secret::Secret;
    use crate::types::uri::Uri;

    const SECRET: &str = "sec:ret/+%&= ~";

    fn composed(form: Form) -> (String, Option<String>, Option<&'static str>, String) {
        let client = Client {
            token_url: Uri::parse("https://acme.test/api/v1/oauth/token").unwrap(),
            client_id: "id.acme".to_owned(),
            scope: None,
            audience: None,
            auth_method: AuthMethod::Auto,
            fallback: Form::Query,
        };
        let secret = Secret::new(SECRET.to_owned());
        let request = compose(&client.token_url, &client, &secret, form);
        let authorization = request.authorization.as_ref().map(|text| text.to_string());
        (
            request.url.to_string(),
            authorization,
            request.content_type,
            request.body.to_string(),
        )
    }

    #[test]
    fn basic_encodes_id_and_secret_before_it_joins_them() {
        let (url, authorization, content_type, body) = composed(Form::Basic);
        assert_eq!(url, "https://acme.test/api/v1/oauth/token");
        // base64 of `id.acme:sec%3Aret%2F%2B%25%26%3D%20%7E`
        let expected = "Basic aWQuYWNtZTpzZWMlM0FyZXQlMkYlMkIlMjUlMjYlM0QlMjAlN0U=";
        assert_eq!(
            authorization.as_deref(),
            Some(expected),
            "RFC 6749 section 2.3.1"
        );
        assert_eq!(content_type, Some("application/x-www-form-urlencoded"));
        assert_eq!(body, "grant_type=client_credentials");
    }

    #[test]
    fn basic_raw_joins_them_as_they_are() {
        let (_, authorization, _, body) = composed(Form::BasicRaw);
        // base64 of `id.acme:sec:ret/+%&= ~`
        assert_eq!(
            authorization.as_deref(),
            Some("Basic aWQuYWNtZTpzZWM6cmV0LyslJj0gfg==")
        );
        assert_eq!(body, "grant_type=client_credentials");
    }

    #[test]
    fn query_is_the_documented_request() {
        let (url, authorization, content_type, body) = composed(Form::Query);
        let query = "client_id=id.acme&client_secret=sec%3Aret%2F%2B%25%26%3D%20%7E\
                     &grant_type=client_credentials";
        assert_eq!(url, format!("https://acme.test/api/v1/oauth/token?{query}"));
        assert_eq!(
            (authorization, content_type, body.as_str()),
            (None, None, "")
        );
    }

    #[test]
    fn json_is_what_the_vendors_go_client_sends() {
        let (_, authorization, content_type, body) = composed(Form::Json);
        assert!(authorization.is_some());
        assert_eq!(content_type, None);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let expected = serde_json::json!({"grant_type": "client_credentials", "scope": "default"});
        assert_eq!(body, expected);
    }

    /// A secret that is not removed would be shown in an error message.
    #[test]
    fn an_echo_of_the_secret_is_cut_out_in_each_form_that_a_server_may_write() {
        let client = Client {
            token_url: Uri::parse("https://acme.test/api/v1/oauth/token").unwrap(),
            client_id: "id.acme".to_owned(),
            scope: None,
            audience: None,
            auth_method: AuthMethod::Auto,
            fallback: Form::Query,
        };
        let secret = Secret::new("a/b\"c%Z é".to_owned());
        let request = compose(&client.token_url, &client, &secret, Form::Basic);
        for form in [
            "a/b\"c%Z é",
            "a%2Fb%22c%25Z%20%C3%A9",
            "a%2fb%22c%25Z%20%c3%a9",
            "a/b\\\"c%Z é",
            "aWQuYWNtZTphJTJGYiUyMmMlMjVaJTIwJUMzJUE5",
        ] {
            let shown = request.redact(&format!("no {form}, no"));
            assert_eq!(shown, "no [redacted], no", "{form}");
        }
    }

    #[test]
    fn a_form_is_read_by_the_name_that_it_is_written_with() {
        for name in AuthMethod::NAMES {
            let method = AuthMethod::parse(name).unwrap();
            let written = match method {
                AuthMethod::Auto => "auto",
                AuthMethod::Fixed(form) => form.name(),
            };
            assert_eq!(written, name);
        }
        assert_eq!(AuthMethod::parse("Basic"), None);
        assert_eq!(Form::parse("auto"), None);
    }
}
