//! Properties of the requests that tools send and of the responses to them.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use super::reference_parser::{ReferenceParser, assert_printable, assert_same_origin};
use crate::cli::{Subcommand, parse_flags};
use crate::protocol::helper::{ProfileSelector, read_erase, read_store};
use crate::protocol::{
    Call, Credential, ErrorFormat, InputError, PROTOCOLS, ParsedRequest, Protocol, Reply, Request,
    Response, StdinMode,
};
use crate::types::diagnostic::Diagnostic;
use crate::types::token::{AccessToken, Token};
use crate::types::uri::{Origin, Uri};

/// The token in every response. It does not occur in a request.
const TOKEN: &str = "canary-token.of~the/claims+0123456789==";

/// Text after this marker in a request is a secret of the request.
const CANARY: &str = "canary-secret";

/// A request as a tool sends it: the arguments after the subcommand, the environment variable of
/// the protocol, and stdin.
struct Sent<'a> {
    operands: Vec<String>,
    variable: Option<String>,
    input: &'a [u8],
}

impl<'a> Sent<'a> {
    fn of(protocol: &Protocol, bytes: &'a [u8]) -> Self {
        let mut lines = bytes.splitn(3, |byte| *byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let text = String::from_utf8_lossy(line());
        let words = text.split(' ').filter(|word| !word.is_empty());
        let operands: Vec<String> = words.map(str::to_owned).collect();
        let variable = String::from_utf8_lossy(line()).into_owned();
        let rest = line();
        let first = rest.split(|byte| *byte == b'\n').next();
        Self {
            input: match (protocol.intake)(&operands) {
                StdinMode::Nothing => &[],
                StdinMode::All => rest,
                StdinMode::Lines { .. } => first.unwrap_or_default(),
            },
            operands,
            variable: Some(variable).filter(|text| !text.is_empty() && protocol.variable.is_some()),
        }
    }

    /// Returns the server that the tool names, with an independent parser. If a name occurs twice,
    /// the last value counts. Nothing that a URL may contain is removed.
    fn server(&self, tool: &str) -> Option<String> {
        let json = || serde_json::from_slice::<Value>(self.input).ok();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let index = |text: String| {
            text.strip_prefix("sparse+")
                .map_or(text.clone(), str::to_owned)
        };
        match tool {
            "get" => text(json()?.get("uri")?),
            "git" => {
                let lines = self.input.split(|byte| *byte == b'\n');
                let mut named = [None, None];
                for line in lines.take_while(|line| !line.is_empty()) {
                    let line = String::from_utf8_lossy(line).into_owned();
                    assert!(!line.starts_with("url="), "`url=` sets both");
                    for (name, place) in ["protocol=", "host="].iter().zip(&mut named) {
                        let value = line.strip_prefix(name).map(str::to_owned);
                        *place = value.or(place.take());
                    }
                }
                let [protocol, host] = named;
                Some(format!("{}://{}", protocol?, host?))
            }
            "docker" => {
                let server = std::str::from_utf8(self.input).ok()?;
                let server = server.strip_suffix('\n').unwrap_or(server);
                let is_url = server.contains("://");
                Some(if is_url {
                    server.to_owned()
                } else {
                    format!("https://{server}")
                })
            }
            "terraform" => Some(format!("https://{}", self.operands.get(1)?)),
            "kubectl" => {
                let info: Value = serde_json::from_str(self.variable.as_ref()?).ok()?;
                text(info.pointer("/spec/cluster/server")?)
            }
            "cargo" => match &self.variable {
                Some(variable) if self.operands.is_empty() => Some(index(variable.clone())),
                _ => text(json()?.pointer("/registry/index-url")?).map(index),
            },
            "go" => self.operands.first().cloned(),
            _ => None,
        }
    }
}

/// A request is accepted only if an independent parser finds one of the profile's hosts in it. The
/// response has the format of the tool, and contains the token only in the place for it.
pub(super) fn tool(name: &str, bytes: &[u8], reference: ReferenceParser) {
    let protocol = PROTOCOLS.into_iter().find(|protocol| protocol.name == name);
    let protocol = protocol.unwrap_or_else(|| panic!("there is no adaptor `{name}`"));
    let sent = Sent::of(protocol, bytes);
    let call = Call {
        operands: &sent.operands,
        variable: sent.variable.as_deref(),
        input: sent.input,
    };
    let read = || (protocol.read)(&call);
    let asked = match read() {
        Ok(asked) => asked,
        Err(error) => {
            check_shown(&error);
            check_complaint(protocol, error.to_string());
            return;
        }
    };
    let (uri, is_for_us) = match &asked.request {
        Request::Token(wanted) | Request::Renewal(wanted) => {
            check_flags(protocol, &wanted.flags);
            (wanted.uri.clone(), true)
        }
        Request::Refusal { uri, token: secret } | Request::Keep { uri, secret } => {
            let shown = format!("{:?}", asked.request);
            let secret = secret.expose();
            // A short secret may also occur in the surrounding names. A longer one may be part of
            // the address, which is shown.
            let is_elsewhere = secret.len() < 16 || format!("{uri:?}").contains(secret);
            assert!(is_elsewhere || !shown.contains(secret), "{shown}");
            (Some(uri.clone()), false)
        }
        Request::Nothing => (Some(String::new()), false),
    };
    let mine = uri.as_deref().map(origin_of_ours);
    if let Some(Some(origin)) = &mine {
        let is_store = matches!(asked.request, Request::Keep { .. });
        if !is_store {
            let server = sent
                .server(name)
                .unwrap_or_else(|| panic!("{origin} of no server"));
            assert!(!server.contains(char::is_control), "{server:?}");
            assert_same_origin(&server, origin, reference);
        }
    }
    let again = || read().unwrap_or_else(|error| panic!("{error}"));
    let is_answered = is_for_us && !matches!(mine, Some(None));
    for reply in [Reply::NotMine, Reply::Done] {
        let said = told(again(), &reply);
        assert!(!holds_token(&said), "`{reply:?}` contains a token");
        check_form(protocol, &sent, &said, false);
    }
    if is_answered {
        let said = with_credential(again());
        check_form(protocol, &sent, &said, true);
    }
}

/// Returns the origin of a URI, if it belongs to the profile.
fn origin_of_ours(uri: &str) -> Option<Origin> {
    let read = Uri::parse(uri).ok()?.origin().clone();
    origins().contains(&read).then_some(read)
}

fn origins() -> Vec<Origin> {
    let hosts = [
        "acme.api.openvpn.com",
        "registry.acme.internal:8443",
        "localhost:8080",
        "[::1]:9",
        "10.0.0.1",
        "xn--bcher-kva.test",
    ];
    let read = hosts.iter().flat_map(|host| Origin::of_host(host));
    read.flatten().collect()
}

fn told(asked: ParsedRequest, reply: &Reply<'_>) -> Response {
    (asked.say)(reply)
}

fn with_credential(asked: ParsedRequest) -> Response {
    let at = |seconds| OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let access_token = AccessToken::parse(TOKEN.to_owned());
    let token = Token {
        access_token: access_token.unwrap_or_else(|error| panic!("{error}")),
        scope: Some("read \"write\"".to_owned()),
        requested_at: at(1_700_000_000),
        obtained_at: at(1_700_000_000),
        expires_at: at(1_700_043_199),
    };
    let base_url = Uri::parse_base("https://acme.api.openvpn.com").ok();
    told(
        asked,
        &Reply::Credential(Credential {
            token: &token,
            usable_until: at(1_700_043_139),
            profile: "prod",
            base_url: base_url.as_ref(),
            origins: &origins(),
        }),
    )
}

fn holds_token(said: &Response) -> bool {
    String::from_utf8_lossy(&said.stdout).contains("canary-token")
}

/// Asserts that a response is exactly what the tool reads, complete and without other text.
fn check_form(protocol: &Protocol, sent: &Sent<'_>, said: &Response, is_credential: bool) {
    let text = str::from_utf8(&said.stdout);
    let text = text.unwrap_or_else(|error| panic!("{error}"));
    let is_line_feed = |c: char| c == '\n';
    assert!(
        !text.chars().any(|c| c.is_control() && !is_line_feed(c)),
        "{text:?}"
    );
    assert!(
        text.len() <= 6 * sent.input.len() + 2048,
        "{} bytes",
        text.len()
    );
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let count = text.matches(TOKEN).count();
    let expected = match (protocol.name, is_credential) {
        (_, false) => 0,
        ("terraform-external", true) => 2,
        (_, true) => 1,
    };
    assert_eq!(count, expected, "{text}");
    let json = || -> Value {
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    if text.is_empty() || (protocol.name == "docker" && !is_credential) {
        return;
    }
    match protocol.name {
        "get" => {
            let header = json().pointer("/headers/Authorization/0").cloned();
            assert_eq!(
                header,
                is_credential.then(|| format!("Bearer {TOKEN}").into())
            );
        }
        "git" => check_git(text, is_credential),
        "docker" => {
            let server = String::from_utf8_lossy(sent.input);
            let server = server.strip_suffix('\n').unwrap_or(&server);
            assert_eq!(json()["ServerURL"].as_str(), Some(server));
            assert_eq!(json()["Secret"].as_str(), Some(TOKEN));
        }
        "terraform" => assert_eq!(json()["token"].as_str(), is_credential.then_some(TOKEN)),
        "kubectl" => assert_eq!(json()["status"]["token"].as_str(), Some(TOKEN)),
        "cargo" if sent.operands.is_empty() => {
            assert_eq!(text, format!("Bearer {TOKEN}\n"));
        }
        "cargo" => assert_eq!(json()["Ok"].is_object(), is_credential),
        "go" => {
            let (urls, header) = text.split_once("\n\n").unwrap_or_default();
            assert_eq!(header, format!("Authorization: Bearer {TOKEN}\n\n"));
            for url in urls.lines() {
                assert!(origin_of_ours(url).is_some(), "{url} in {text}");
            }
        }
        "pnpm" => assert_eq!(text, format!("Bearer {TOKEN}\n")),
        _ => {
            let all = json();
            let members = all.as_object().unwrap_or_else(|| panic!("{text}"));
            assert!(members.values().all(Value::is_string), "{text}");
        }
    }
}

/// Checks a response to git: each line is an expected one, at the expected position.
fn check_git(text: &str, is_credential: bool) {
    let keys: Vec<&str> = text
        .lines()
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    let bearer = [
        "capability[]",
        "authtype",
        "credential",
        "ephemeral",
        "password_expiry_utc",
    ];
    let password = ["username", "password", "password_expiry_utc"];
    if is_credential {
        assert!(keys == bearer || keys == password, "{text:?}");
    } else {
        assert_eq!(text, "version 0\ncapability authtype\n");
    }
}

fn check_complaint(protocol: &Protocol, what: String) {
    let diagnostic = Diagnostic {
        what,
        cause: Some("\"quoted\" \\ words".to_owned()),
        hint: None,
    };
    match (protocol.complain)(&diagnostic) {
        ErrorFormat::ExitCode => {}
        ErrorFormat::Stdout(words) => {
            assert_eq!(words.split(|byte| *byte == b'\n').count(), 2);
        }
        ErrorFormat::Answer(words) => {
            let answer: Result<Value, _> = serde_json::from_slice(&words);
            assert!(answer.is_ok_and(|answer| answer.is_object()));
        }
    }
}

fn check_flags(protocol: &Protocol, flags: &[String]) {
    let found = PROTOCOLS.into_iter().find(|known| *known == protocol);
    let subcommand = found.map(Subcommand::Protocol);
    if let Some(subcommand) = subcommand.filter(|_| !flags.is_empty())
        && let Err(error) = parse_flags(subcommand, flags.to_vec())
    {
        assert_printable(&error.to_string());
    }
}

/// A server's challenge decides only how git receives the token.
pub(super) fn challenges(bytes: &[u8]) {
    let line = String::from_utf8_lossy(bytes).replace(['\n', '\0'], "");
    let input = format!(
        "protocol=https\nhost=acme.api.openvpn.com\ncapability[]=authtype\nwwwauth[]={line}\n"
    );
    let Some(protocol) = PROTOCOLS
        .into_iter()
        .find(|protocol| protocol.name == "git")
    else {
        return;
    };
    let asked = (protocol.read)(&Call {
        operands: &["get".to_owned()],
        variable: None,
        input: input.as_bytes(),
    });
    let Ok(asked) = asked else {
        assert!(line.len() > 60_000, "{line:?}");
        return;
    };
    let said = with_credential(asked);
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    check_git(&text, true);
    let is_bearer = text.contains("\nauthtype=Bearer\n");
    let lower = line.to_ascii_lowercase();
    assert!(
        is_bearer || lower.contains("basic"),
        "a password for {line:?}"
    );
    let is_plain_basic = lower.starts_with("basic ") && !lower.contains("bearer");
    assert!(!is_bearer || !is_plain_basic, "a bearer token for {line:?}");
}

/// `store` and `erase` parse one JSON object in the same way, and add nothing to its content.
pub(super) fn helper(bytes: &[u8]) {
    let plain: Option<Value> = serde_json::from_slice(bytes).ok();
    match read_erase(bytes) {
        Ok(erase) => {
            let plain = plain.as_ref().unwrap_or(&Value::Null);
            let named = match &erase.whose {
                ProfileSelector::Uri(uri) => (plain["uri"].as_str(), uri),
                ProfileSelector::Profile(profile) => (plain["profile"].as_str(), profile),
            };
            assert_eq!(named.0, Some(named.1.as_str()));
            let token = erase
                .token
                .as_ref()
                .map(crate::types::secret::Secret::expose);
            assert_eq!(
                plain["token"].as_str(),
                token,
                "drops only the token that was given"
            );
            assert_eq!(
                plain["credentials"].as_bool().unwrap_or(false),
                erase.credentials
            );
        }
        Err(error) => check_shown(&error),
    }
    match read_store(bytes, &["cloud_id", "base_url"]) {
        Ok(store) => {
            let plain = plain.as_ref().unwrap_or(&Value::Null);
            assert_eq!(plain["profile"].as_str(), Some(store.profile.as_str()));
            assert_eq!(plain["client_id"].as_str(), Some(store.client_id.as_str()));
            let secret = store.client_secret.expose();
            assert_eq!(plain["client_secret"].as_str(), Some(secret));
            for (name, value) in &store.settings {
                assert_eq!(plain[*name].as_str(), Some(value.as_str()));
            }
        }
        Err(error) => check_shown(&error),
    }
}

fn check_shown(error: &InputError) {
    let shown = error.to_string();
    assert_printable(&shown);
    let is_a_name = matches!(error, InputError::Unknown { .. });
    assert!(is_a_name || !shown.contains(CANARY), "{shown}");
}
