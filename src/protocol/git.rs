//! git's credential helper protocol: `key=value` lines in and out (gitcredentials(7), `git help
//! credential`, "INPUT/OUTPUT FORMAT").
//!
//! Only LF ends a line. A parser that also splits at a lone CR reads a second line from
//! `host=evil.test\rhost=ours` as the host (CVE-2024-50338, CVE-2024-52006).

use super::tool_protocol::{
    Call, ErrorFormat, ParsedRequest, Protocol, Reply, Request, Response, StdinMode, TokenQuery,
};
use super::{InputError, uri_of};
use crate::types::secret::{Secret, joined};

pub(super) const ADAPTOR: Protocol = Protocol {
    name: "git",
    protocol: "git-credential",
    program: Some("git-credential-cloudconnexa"),
    summary: "Be git's credential helper",
    details: "Answers git 2.46 and newer with a bearer credential, older git with the token as \
              password. `store` keeps nothing. By `erase` git says that a server refused the \
              token; the next call then gets another one, at most once a minute.",
    examples: "  git config --global credential.https://git.acme.internal.helper cloudconnexa\n  \
               printf 'protocol=https\\nhost=acme.api.openvpn.com\\n' | cloudconnexa-auth git get",
    operands: &["get|store|erase|capability"],
    variable: None,
    intake: |operands| match operands.first().map(String::as_str) {
        Some("get" | "erase") => StdinMode::All,
        _ => StdinMode::Nothing,
    },
    read,
    complain: |_| ErrorFormat::ExitCode,
};

/// The longest line in bytes, with its line feed (git's documented limit).
const LONGEST_LINE: usize = 65535;

/// The user name if the token is sent as the password. Any name is accepted.
const USERNAME: &str = "oauth2";

/// The attributes of git's request. A value that is not UTF-8 matches no profile.
#[derive(Default)]
struct Attributes {
    protocol: Option<String>,
    host: Option<String>,
    /// Whether parsers can disagree about the server: `protocol` or `host` is repeated (git uses
    /// the last one, other parsers the first one), `url` is given, or a CR could end a line.
    is_ambiguous: bool,
    username: Option<String>,
    secret: Option<Secret>,
    capabilities: Vec<String>,
    challenges: Vec<String>,
}

fn read(call: &Call<'_>) -> Result<ParsedRequest, InputError> {
    match call.operands.first().map(String::as_str) {
        None => Err(InputError::NoOperand(
            "the operation (`get`, `store`, `erase` or `capability`)",
        )),
        Some("get") => {
            let attributes = Attributes::parse(call.input)?;
            let wanted = TokenQuery::for_uri(attributes.uri());
            Ok(ParsedRequest::new(Request::Token(wanted), move |reply| {
                say(reply, &attributes)
            }))
        }
        Some("erase") => {
            let mut attributes = Attributes::parse(call.input)?;
            let uri = attributes.uri();
            let request = match attributes.secret.take() {
                Some(token) => Request::Refusal { uri, token },
                None => Request::Nothing,
            };
            Ok(ParsedRequest::new(request, |_| Response::nothing()))
        }
        Some("capability") => Ok(ParsedRequest::answered("version 0\ncapability authtype\n")),
        // `store` has nothing to do. A helper must ignore unknown operations silently.
        Some(_) => Ok(ParsedRequest::answered("")),
    }
}

fn say(reply: &Reply<'_>, attributes: &Attributes) -> Response {
    let Reply::Credential(credential) = reply else {
        return Response::nothing();
    };
    let expiry = credential.usable_until.unix_timestamp();
    let token = credential.text();
    let expiry = format!("\npassword_expiry_utc={expiry}\n");
    Response::secret(if attributes.takes_bearer() {
        let kind = "capability[]=authtype\nauthtype=Bearer\ncredential=";
        joined(&[kind, token, "\nephemeral=1", &expiry])
    } else {
        let username = attributes.username.as_deref().unwrap_or(USERNAME);
        joined(&["username=", username, "\npassword=", token, &expiry])
    })
}

impl Attributes {
    /// Reads up to the first empty line or the end. Unknown keys are ignored, as git requires.
    fn parse(input: &[u8]) -> Result<Self, InputError> {
        let mut read = Self::default();
        let lines = input.split(|byte| *byte == b'\n');
        for (index, line) in lines.enumerate() {
            if line.is_empty() {
                break;
            }
            let number = index + 1;
            if line.len() >= LONGEST_LINE {
                return Err(InputError::LineTooLong(number));
            }
            read.is_ambiguous |= line.contains(&b'\r');
            let mut parts = line.splitn(2, |byte| *byte == b'=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else {
                return Err(InputError::NotAnAttribute(number));
            };
            read.take(key, value);
        }
        Ok(read)
    }

    fn take(&mut self, key: &[u8], value: &[u8]) {
        let value = String::from_utf8_lossy(value).into_owned();
        match key {
            b"protocol" => self.is_ambiguous |= self.protocol.replace(value).is_some(),
            b"host" => self.is_ambiguous |= self.host.replace(value).is_some(),
            b"url" => self.is_ambiguous = true,
            // The response repeats the user name, so a control byte in it could end a line.
            b"username" => {
                let is_said = |name: &String| !name.is_empty() && !name.contains(char::is_control);
                self.username = Some(value).filter(is_said);
            }
            b"password" | b"credential" => self.secret = Some(Secret::new(value)),
            b"capability[]" => add(&mut self.capabilities, value),
            b"wwwauth[]" => add(&mut self.challenges, value),
            _ => {}
        }
    }

    /// The URI that gets the credential. It is empty if the server is missing or ambiguous.
    fn uri(&self) -> String {
        match (&self.protocol, &self.host) {
            (Some(protocol), Some(host)) if !self.is_ambiguous => uri_of(protocol, host),
            _ => String::new(),
        }
    }

    /// Whether git can send a bearer credential, and the server offers `Bearer` or does not offer
    /// `Basic`.
    fn takes_bearer(&self) -> bool {
        let offers = |scheme: &str| {
            let mut schemes = self.challenges.iter().flat_map(|line| schemes(line));
            schemes.any(|offered| offered.eq_ignore_ascii_case(scheme))
        };
        self.capabilities.iter().any(|name| name == "authtype")
            && (offers("Bearer") || !offers("Basic"))
    }
}

/// The schemes in a `WWW-Authenticate` line, which may contain several challenges (RFC 9110
/// §11.6.1). A scheme is a word at the start of a list element that is not a `name=value` pair.
fn schemes(line: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let elements = line.split(move |character| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            '\\' if is_quoted && !was_escaped => is_escaped = true,
            '"' if !was_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        character == ',' && !is_quoted
    });
    elements
        .filter_map(|element| element.split_ascii_whitespace().next())
        .filter(|word| !word.contains('='))
}

/// Adds a value. An empty value clears the list (`git help credential`).
fn add(list: &mut Vec<String>, value: String) {
    if value.is_empty() {
        list.clear();
    } else {
        list.push(value);
    }
}
