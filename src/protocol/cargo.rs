//! Cargo's credential provider protocol (The Cargo Book, "Credential Provider Protocol"): a
//! greeting, then one JSON line for each request and each response. Without `--cargo-plugin`, this
//! is the program for `cargo:token-from-stdout`.
//!
//! The value that cargo calls the token is the whole value of the `Authorization` header.

use serde::Serialize;

use super::InputError;
use super::json::{self, Members};
use super::tool_protocol::{
    Call, ErrorFormat, ParsedRequest, Protocol, Reply, Request, Response, StdinMode, TokenQuery,
};
use crate::types::diagnostic::Diagnostic;
use crate::types::secret::joined;

pub(super) const ADAPTOR: Protocol = Protocol {
    name: "cargo",
    protocol: "cargo-credential-provider",
    program: Some("cargo-credential-cloudconnexa"),
    summary: "Be Cargo's credential provider",
    details: "For registries on one of the profile's hosts. Cargo adds --cargo-plugin itself and \
              hands over the configured flags in its request. Without --cargo-plugin it is the \
              program of `cargo:token-from-stdout`, for the registry in CARGO_REGISTRY_INDEX_URL.",
    examples: "  credential-provider = [\"cloudconnexa-auth\", \"cargo\", \"--profile\", \"prod\"]\n  \
               CARGO_REGISTRY_INDEX_URL=sparse+https://crates.acme.internal/index/ \
               cloudconnexa-auth cargo",
    operands: &["[--cargo-plugin]"],
    variable: Some("CARGO_REGISTRY_INDEX_URL"),
    intake: |operands| {
        if operands.is_empty() {
            StdinMode::Nothing
        } else {
            StdinMode::Lines {
                greeting: "{\"v\":[1]}\n",
            }
        }
    },
    read: |call| {
        if call.operands.is_empty() {
            read_variable(call)
        } else {
            read_line(call)
        }
    },
    complain,
};

fn read_variable(call: &Call<'_>) -> Result<ParsedRequest, InputError> {
    let index = call.variable.ok_or(InputError::Refused(
        "neither `--cargo-plugin` nor CARGO_REGISTRY_INDEX_URL is given, so it was not cargo that \
         called",
    ))?;
    let wanted = TokenQuery::for_uri(uri_of_index(index));
    Ok(ParsedRequest::new(
        Request::Token(wanted),
        |reply| match reply {
            Reply::Credential(credential) => super::header_value(credential),
            Reply::NotMine | Reply::Done => Response::not_covered(),
        },
    ))
}

fn read_line(call: &Call<'_>) -> Result<ParsedRequest, InputError> {
    let mut request = Members::parse(call.input)?;
    if request.needed_text("kind")? != "get" {
        return Ok(ParsedRequest::answered(
            "{\"Err\":{\"kind\":\"operation-not-supported\"}}\n",
        ));
    }
    let mut registry = request
        .object("registry")?
        .ok_or(InputError::Missing("registry"))?;
    let index = registry.needed_text("index-url")?;
    let mut flags = request.texts("args")?;
    // The provider is configured as `["cloudconnexa-auth", "cargo", …]`.
    if flags.first().is_some_and(|first| first == ADAPTOR.name) {
        flags.remove(0);
    }
    let wanted = TokenQuery {
        flags,
        ..TokenQuery::for_uri(uri_of_index(&index))
    };
    Ok(ParsedRequest::new(
        Request::Token(wanted),
        |reply| match reply {
            // A bearer token contains no character that JSON must escape.
            Reply::Credential(credential) => {
                let tail = format!(
                    "\",\"cache\":\"expires\",\"expiration\":{},\"operation_independent\":true}}}}\n",
                    credential.usable_until.unix_timestamp()
                );
                let head = "{\"Ok\":{\"kind\":\"get\",\"token\":\"Bearer ";
                Response::secret(joined(&[head, credential.text(), &tail]))
            }
            Reply::NotMine | Reply::Done => {
                Response::text("{\"Err\":{\"kind\":\"url-not-supported\"}}\n")
            }
        },
    ))
}

/// Removes the prefix `sparse+`, which marks the URL of a sparse index.
fn uri_of_index(index: &str) -> String {
    index.strip_prefix("sparse+").unwrap_or(index).to_owned()
}

/// Cargo shows this text itself. It reads an exit code as a broken provider.
fn complain(diagnostic: &Diagnostic) -> ErrorFormat {
    let Diagnostic { what, cause, hint } = diagnostic;
    ErrorFormat::Answer(
        json::line(&WireFailure {
            failure: WireError {
                kind: "other",
                message: what,
                caused_by: cause.iter().chain(hint).map(String::as_str).collect(),
            },
        })
        .to_vec(),
    )
}

#[derive(Serialize)]
struct WireFailure<'a> {
    #[serde(rename = "Err")]
    failure: WireError<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireError<'a> {
    kind: &'static str,
    message: &'a str,
    caused_by: Vec<&'a str>,
}
