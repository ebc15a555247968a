//! Properties of the token request and of its response, for any server and any secret.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::http::Answer;
use super::http::has_valid_port;
use super::request::{HttpRequest, compose, encode};
use super::response::{LONGEST_PAUSE, ResponseTiming, read};
use super::{AuthMethod, Client, ErrorClass, ExchangeError, Form, Proxies, date_of};
use crate::system::environment::Environment;
use crate::types::secret::Secret;
use crate::types::uri::{Origin, Uri};

const FORMS: [Form; 5] = [
    Form::Basic,
    Form::BasicRaw,
    Form::Body,
    Form::Query,
    Form::Json,
];

/// A secret with characters that each encoding writes differently.
const SECRET: &str = "s3cret/canary+\"é\" \\%2f";

/// Any response is a valid token or an error. The token fits in a header and has a lifetime within
/// bounds. The error text is printable and contains no form of the secret that was sent. The lines
/// are the status and the form of the request, `Retry-After`, `X-RateLimit-Replenish-Time`, and the
/// body. In the body, `{secret}`, `{encoded}`, `{lower}`, `{json}` and `{basic}` are replaced with
/// the forms of the secret.
pub(crate) fn answer(bytes: &[u8]) {
    let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
    let mut line = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let (first, retry_after, replenish_time, body) = (line(), line(), line(), line());
    let (status, form) = first.split_once(' ').unwrap_or((&first, "basic"));
    let Ok(status) = status.parse::<u16>() else {
        return;
    };
    let asked = asked(Form::parse(form).unwrap_or(Form::Basic), "id.acme", SECRET);
    let sent = sent_forms(&asked);
    let mut body = body;
    for (name, form) in &sent {
        body = body.replace(name, form);
    }
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let answer = Answer {
        status,
        retry_after: given(retry_after),
        replenish_time: given(replenish_time),
        replenish_rate: None,
        date: None,
        encoding: None,
        body: Zeroizing::new(body.into_bytes()),
    };
    let at = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let timing = ResponseTiming {
        sent_at: at,
        arrived_at: at + Duration::from_millis(1500),
    };
    if let Some(date) = answer.retry_after.as_deref().and_then(date_of) {
        assert!((0..=9999).contains(&date.year()));
    }
    match read(&answer, timing, &asked) {
        Ok(token) => {
            assert!((200..300).contains(&status), "{status}");
            let text = token.access_token.expose();
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
            assert!(!text.is_empty() && text.len() <= 16 * 1024 && text.bytes().all(allowed));
            assert!(token.life() > Duration::ZERO && token.obtained_at == timing.arrived_at);
            assert!(
                token.life() <= Duration::from_secs(366 * 24 * 60 * 60),
                "{:?}",
                token.life()
            );
            let scope = token.scope.as_deref().unwrap_or("x");
            assert!(!scope.is_empty() && scope.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }
        Err(failure) => check_words(&failure, &sent),
    }
}

fn check_words(error: &ExchangeError, sent: &[(&'static str, String)]) {
    assert!(error.class() != ErrorClass::TimedOut, "{error:?}");
    let message = error.message();
    let mut words = vec![Some(message.reason), message.detail, message.hint];
    match error {
        ExchangeError::Refused {
            error_code,
            server_text,
            ..
        } => words.extend([error_code.clone(), server_text.clone()]),
        ExchangeError::RateLimited { pause } => {
            assert!(pause.is_none_or(|pause| pause <= LONGEST_PAUSE));
        }
        _ => {}
    }
    for words in words.into_iter().flatten() {
        assert!(!words.chars().any(char::is_control), "{words:?}");
        assert!(words.chars().count() <= 260, "{words:?}");
        for (name, form) in sent {
            assert!(!words.contains(form.as_str()), "{name} in {words:?}");
        }
    }
}

fn asked(form: Form, client_id: &str, secret: &str) -> HttpRequest {
    let client = client(client_id);
    compose(
        &client.token_url,
        &client,
        &Secret::new(secret.to_owned()),
        form,
    )
}

fn client(client_id: &str) -> Client {
    let token_url = Uri::parse("https://acme.test/token?a=b");
    Client {
        token_url: token_url.unwrap_or_else(|error| panic!("{error}")),
        client_id: client_id.to_owned(),
        scope: Some("read write".to_owned()),
        audience: None,
        auth_method: AuthMethod::Auto,
        fallback: Form::Query,
    }
}

/// Every form in which a request contained the secret, with its name in an input.
fn sent_forms(asked: &HttpRequest) -> Vec<(&'static str, String)> {
    let encoded = encode(SECRET).to_string();
    let lower = encoded
        .replace("%2F", "%2f")
        .replace("%2B", "%2b")
        .replace("%C3%A9", "%c3%a9")
        .replace("%5C", "%5c");
    let json = serde_json::Value::from(SECRET).to_string();
    let json = json.trim_matches('"').to_owned();
    let authorization = asked.authorization.as_ref();
    let basic = authorization.and_then(|value| value.strip_prefix("Basic "));
    let mut forms = vec![
        ("{secret}", SECRET.to_owned()),
        ("{encoded}", encoded),
        ("{lower}", lower),
        ("{json}", json),
    ];
    forms.extend(basic.map(|basic| ("{basic}", basic.to_owned())));
    forms
}

/// For any client ID and secret, the server decodes the original values from each form of the
/// request. The first line is the client ID.
pub(crate) fn form(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (id, secret) = text.split_once('\n').unwrap_or(("id", text));
    if secret.is_empty() {
        return;
    }
    let pairs = |text: &str| -> Vec<(String, String)> {
        form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect()
    };
    let given = |pairs: &[(String, String)], name: &str| -> Vec<String> {
        let named = pairs.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.clone()).collect()
    };
    for form in FORMS {
        let asked = asked(form, id, secret);
        let query = asked.url.split_once('?').map_or("", |(_, query)| query);
        let (query, body) = (pairs(query), pairs(&asked.body));
        let basic = asked.authorization.as_ref().map(|value| {
            let digits = value.strip_prefix("Basic ").unwrap_or_default();
            let pair = STANDARD
                .decode(digits)
                .unwrap_or_else(|error| panic!("{error}"));
            String::from_utf8(pair).unwrap_or_else(|error| panic!("{error}"))
        });
        let shown = asked.redact(&format!("{secret} and {}", *encode(secret)));
        assert!(
            secret.len() < 4
                || "[redacted] and [redacted]".contains(secret)
                || !shown.contains(secret),
            "{shown}"
        );
        match form {
            Form::Basic => {
                let pair = basic.unwrap_or_default();
                let (one, two) = pair.split_once(':').unwrap_or_default();
                let decoded = pairs(&format!("id={one}&secret={two}"));
                assert_eq!(given(&decoded, "id"), [id]);
                assert_eq!(given(&decoded, "secret"), [secret]);
            }
            Form::BasicRaw | Form::Json => assert_eq!(basic, Some(format!("{id}:{secret}"))),
            Form::Body | Form::Query => {
                let sent = if form == Form::Body { &body } else { &query };
                assert_eq!(given(sent, "client_id"), [id]);
                assert_eq!(given(sent, "client_secret"), [secret]);
                assert_eq!(given(sent, "grant_type"), ["client_credentials"]);
                assert_eq!(given(sent, "scope"), ["read write"]);
                assert_eq!(basic, None);
            }
        }
        assert_eq!(given(&query, "a"), ["b"], "the query of the URL is kept");
    }
}

/// The proxy is the value of the variable or absent. It is absent for hosts that `NO_PROXY` names,
/// and always for plain HTTP. The lines are the proxy, `NO_PROXY` and the URL.
pub(crate) fn proxy(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (proxy, exceptions, url) = (line(), line(), line());
    let authority = proxy.split_once("://").map_or(proxy, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    if has_valid_port(proxy)
        && let Some((_, port)) = authority.rsplit_once(':')
        && !authority.ends_with(']')
        && !port.contains(['@', ']'])
    {
        assert!(port.bytes().all(|byte| byte.is_ascii_digit()), "{proxy:?}");
    }
    let Ok(uri) = Uri::parse(url) else {
        return;
    };
    let variables = [("https_proxy", proxy), ("no_proxy", exceptions)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let proxies = Proxies::of(&Environment::Given(variables.into_iter().collect()));
    let taken = proxies.for_origin(uri.origin());
    let is_plain = uri.to_string().starts_with("http:");
    let entries = || exceptions.split([',', ' ', '\t']);
    if let Some((name, value)) = taken {
        assert_eq!((name, value), ("https_proxy", proxy));
        assert!(!is_plain, "the proxy would see the secret");
        let host = uri.origin().host();
        assert!(
            !entries().any(|entry| entry == "*" || entry == host),
            "{text:?}"
        );
    } else {
        let is_excepted = entries().any(|entry| may_name(entry, uri.origin()));
        assert!(proxy.is_empty() || is_plain || is_excepted, "{text:?}");
    }
    // The proxy can contain a password.
    let is_elsewhere = proxy.len() < 8 || exceptions.to_lowercase().contains(&proxy.to_lowercase());
    assert!(
        is_elsewhere || !format!("{proxies:?}").contains(proxy),
        "{proxy}"
    );
}

/// Returns whether an exception may match this origin; it accepts more than the real rules.
fn may_name(entry: &str, origin: &Origin) -> bool {
    let entry = entry.to_ascii_lowercase();
    let host = origin.host();
    let name = entry.trim_start_matches(['*', '.', '[']);
    let name = match name.rsplit_once(':') {
        Some((name, port)) if port.parse() == Ok(origin.port()) => name,
        _ => name,
    };
    let name = name.trim_end_matches(']');
    let bare = host.trim_matches(['[', ']']);
    let is_under =
        bare.ends_with(&format!(".{name}")) && !bare.ends_with(|c: char| c.is_ascii_digit());
    entry == "*"
        || entry.contains('/')
        || (!name.is_empty() && (bare == name || is_under))
        || (is_under && bare.parse::<std::net::IpAddr>().is_err())
}
