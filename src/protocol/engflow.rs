//! EngFlow's credential helper, which Bazel speaks: a URI in, headers and their expiry out.
//!
//! To the letter of <https://github.com/EngFlow/credential-helper-spec> (`spec.md`, `schemas/`):
//! unknown members of the request are passed over. Stricter than it must be in the answer:
//! `expires` is whole seconds with `Z`, and a URI that is not ours has no headers and exit 0, since
//! Bazel fails the build on anything else.

use super::json::Members;
use super::tool_protocol::{
    Call, ErrorFormat, ParsedRequest, Protocol, Reply, Request, Response, StdinMode, TokenQuery,
};
use super::{InputError, timestamp};
use crate::types::secret::joined;

pub(super) const ADAPTOR: Protocol = Protocol {
    name: "get",
    protocol: "engflow-credential-helper",
    program: None,
    summary: "Answer a credential-helper request (Bazel, EngFlow)",
    details: "Reads {\"uri\":\"…\"} from stdin and answers {\"headers\":{\"Authorization\":[\"Bearer \
              …\"]},\"expires\":\"…\"}; a URI that is no profile's is answered with \
              {\"headers\":{}}.",
    examples: "  echo '{\"uri\":\"https://acme.api.openvpn.com/\"}' | cloudconnexa-auth get",
    operands: &[],
    variable: None,
    intake: |_| StdinMode::All,
    read,
    complain: |_| ErrorFormat::ExitCode,
};

fn read(call: &Call<'_>) -> Result<ParsedRequest, InputError> {
    let uri = Members::parse(call.input)?.needed_text("uri")?;
    Ok(ParsedRequest::new(
        Request::Token(TokenQuery::for_uri(uri)),
        say,
    ))
}

fn say(reply: &Reply<'_>) -> Response {
    match reply {
        Reply::NotMine | Reply::Done => Response::text("{\"headers\":{}}\n"),
        // A bearer token holds no character that JSON would escape.
        Reply::Credential(credential) => {
            let head = "{\"headers\":{\"Authorization\":[\"Bearer ";
            let expires = timestamp(credential.usable_until);
            let tail = ["\"]},\"expires\":\"", &expires, "\"}\n"];
            Response::secret(joined(&[&[head, credential.text()], &tail[..]].concat()))
        }
    }
}
