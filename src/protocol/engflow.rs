//! EngFlow's credential helper protocol, which Bazel uses: a URI in, headers and their expiry out.
//!
//! It follows <https://github.com/EngFlow/credential-helper-spec> (`spec.md`, `schemas/`) and
//! ignores unknown members of the request. The response is stricter than the specification:
//! `expires` has whole seconds and `Z`. For a URI that no profile covers, the response has no
//! headers and the exit code is 0, because Bazel fails the build on any other code.

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
        // A bearer token contains no character that JSON must escape.
        Reply::Credential(credential) => {
            let head = "{\"headers\":{\"Authorization\":[\"Bearer ";
            let expires = timestamp(credential.usable_until);
            let tail = ["\"]},\"expires\":\"", &expires, "\"}\n"];
            Response::secret(joined(&[&[head, credential.text()], &tail[..]].concat()))
        }
    }
}
