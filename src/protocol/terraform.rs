//! The credentials helper protocol of Terraform and `OpenTofu` (Terraform's documentation,
//! "Credentials Helpers"). It is for module and provider registries and remote state.
//!
//! Terraform does not call it for the credentials of a provider or of a data source.

use super::json::Members;
use super::tool_protocol::{
    Call, ErrorFormat, ParsedRequest, Protocol, Reply, Request, Response, StdinMode, TokenQuery,
};
use super::{InputError, uri_of};
use crate::types::secret::{Secret, joined};

pub(super) const ADAPTOR: Protocol = Protocol {
    name: "terraform",
    protocol: "terraform-credentials-helper",
    program: Some("terraform-credentials-cloudconnexa"),
    summary: "Be Terraform's and OpenTofu's credentials helper",
    details: "For registries and remote state on one of the profile's hosts; never for providers. \
              Terraform keeps a token for its whole run, so one in the last half of its life is \
              renewed first, if the server gives a new one. `store` refuses what did not come \
              from here; `forget` has nothing to forget.",
    examples: "  ln -s \"$(command -v cloudconnexa-auth)\" \
               ~/.terraform.d/plugins/terraform-credentials-cloudconnexa\n  \
               cloudconnexa-auth terraform get registry.acme.internal",
    operands: &["get|store|forget", "HOST"],
    variable: None,
    intake: |operands| match operands.first().map(String::as_str) {
        Some("store") => StdinMode::All,
        _ => StdinMode::Nothing,
    },
    read,
    complain: |_| ErrorFormat::ExitCode,
};

fn read(call: &Call<'_>) -> Result<ParsedRequest, InputError> {
    let (operation, host) = match call.operands {
        [] => {
            return Err(InputError::NoOperand(
                "the operation (`get`, `store` or `forget`)",
            ));
        }
        [_] => return Err(InputError::NoOperand("the host")),
        [operation, host, ..] => (operation.as_str(), host),
    };
    let uri = uri_of("https", host);
    match operation {
        "get" => {
            let wanted = TokenQuery {
                is_lasting: true,
                ..TokenQuery::for_uri(uri)
            };
            Ok(ParsedRequest::new(Request::Token(wanted), say))
        }
        "store" => {
            let secret = Secret::new(Members::parse(call.input)?.needed_text("token")?);
            Ok(ParsedRequest::new(Request::Keep { uri, secret }, |_| {
                Response::nothing()
            }))
        }
        "forget" => Ok(ParsedRequest::answered("")),
        _ => Err(InputError::UnknownOperation("`get`, `store`, `forget`")),
    }
}

fn say(reply: &Reply<'_>) -> Response {
    match reply {
        // A bearer token contains no character that JSON must escape.
        Reply::Credential(credential) => {
            Response::secret(joined(&["{\"token\":\"", credential.text(), "\"}\n"]))
        }
        Reply::NotMine | Reply::Done => Response::text("{}\n"),
    }
}
