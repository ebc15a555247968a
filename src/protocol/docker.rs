//! Docker's credential helper protocol (<https://github.com/docker/docker-credential-helpers>),
//! which podman, skopeo, buildah and Helm use too.
//!
//! Clients read errors from stdout. One exact sentence there means "not found". The client sends
//! the secret to the registry as a password, never as a bearer token.

use serde::Serialize;

use super::json::{self, Members};
use super::tool_protocol::{
    Call, End, ErrorFormat, ParsedRequest, Protocol, Reply, Request, Response, StdinMode,
    TokenQuery,
};
use super::{InputError, uri_of};
use crate::types::secret::Secret;

pub(super) const ADAPTOR: Protocol = Protocol {
    name: "docker",
    protocol: "docker-credential-helper",
    program: Some("docker-credential-cloudconnexa"),
    summary: "Be a credential helper of docker, podman, skopeo and Helm",
    details: "For registries on one of the profile's hosts that take an access token as password, \
              under any user name. `store` refuses what did not come from here; `erase` has \
              nothing to erase, and `list` shows nothing.",
    examples: "  printf registry.acme.internal | cloudconnexa-auth docker get",
    operands: &["get|store|erase|list|version"],
    variable: None,
    intake: |operands| match operands.first().map(String::as_str) {
        Some("get" | "store") => StdinMode::All,
        _ => StdinMode::Nothing,
    },
    read,
    complain: |diagnostic| {
        ErrorFormat::Stdout(format!("cloudconnexa-auth: {}\n", diagnostic.what).into_bytes())
    },
};

/// The text that every client reads as "no credentials for this server" (`credentials/error.go`).
const NOT_FOUND: &str = "credentials not found in native keychain\n";

/// The user name for the token. With `<token>`, clients would use the secret as a refresh token.
const USERNAME: &str = "oauth2";

fn read(call: &Call<'_>) -> Result<ParsedRequest, InputError> {
    match call.operands.first().map(String::as_str) {
        None => Err(InputError::NoOperand(
            "the operation (`get`, `store`, `erase`, `list` or `version`)",
        )),
        Some("get") => {
            let server = String::from_utf8_lossy(call.input);
            let server = server.strip_suffix('\n').unwrap_or(&server).to_owned();
            if server.is_empty() {
                return Err(InputError::NoOperand("the server's name on stdin"));
            }
            let wanted = TokenQuery::for_uri(uri_of_server(&server));
            Ok(ParsedRequest::new(Request::Token(wanted), move |reply| {
                say(reply, &server)
            }))
        }
        Some("store") => {
            let mut credential = Members::parse(call.input)?;
            let secret = Secret::new(credential.needed_text("Secret")?);
            let uri = uri_of_server(&credential.needed_text("ServerURL")?);
            Ok(ParsedRequest::new(Request::Keep { uri, secret }, |_| {
                Response::nothing()
            }))
        }
        Some("erase") => Ok(ParsedRequest::answered("")),
        Some("list") => Ok(ParsedRequest::answered("{}\n")),
        Some("version") => Ok(ParsedRequest::answered(concat!(
            "cloudconnexa-auth ",
            env!("CARGO_PKG_VERSION"),
            "\n"
        ))),
        Some(_) => Err(InputError::UnknownOperation(
            "`get`, `store`, `erase`, `list`, `version`",
        )),
    }
}

/// Returns the URI of a server. Clients send the name from their configuration: a URL, or a host
/// with an optional path. A name with white space, control characters or non-ASCII characters gives
/// an empty URI, because parsers read such names in different ways.
fn uri_of_server(server: &str) -> String {
    if !server.bytes().all(|byte| byte.is_ascii_graphic()) {
        return String::new();
    }
    if server.contains("://") {
        return server.to_owned();
    }
    let end = server.find('/').unwrap_or(server.len());
    uri_of("https", server.get(..end).unwrap_or_default())
}

fn say(reply: &Reply<'_>, server: &str) -> Response {
    match reply {
        Reply::Credential(credential) => Response {
            stdout: json::line(&WireCredential {
                server_url: server,
                username: USERNAME,
                secret: credential.text(),
            }),
            end: End::Answered,
        },
        Reply::NotMine | Reply::Done => Response {
            end: End::NotFound,
            ..Response::text(NOT_FOUND)
        },
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireCredential<'a> {
    #[serde(rename = "ServerURL")]
    server_url: &'a str,
    username: &'static str,
    secret: &'a str,
}
