//! pnpm's `tokenHelper` protocol: no arguments, no URL, the value of the `Authorization` header on
//! stdout.
//!
//! pnpm up to 10 sends the value unchanged. pnpm 11 adds `Bearer` to a bare token. With `Bearer` in
//! the value, both send the same header.

use super::tool_protocol::{
    ErrorFormat, ParsedRequest, Protocol, Reply, Request, Response, StdinMode, TokenQuery,
};

pub(super) const ADAPTOR: Protocol = Protocol {
    name: "pnpm",
    protocol: "pnpm-token-helper",
    program: Some("pnpm-credential-cloudconnexa"),
    summary: "Be pnpm's tokenHelper",
    details: "Prints `Bearer …`. pnpm tells neither arguments nor the registry, so the profile is \
              the usual one, or CLOUDCONNEXA_PROFILE's; the registry that is configured with it \
              decides where the token goes.",
    examples: "  //npm.acme.internal/:tokenHelper=/usr/local/bin/pnpm-credential-cloudconnexa\n  \
               cloudconnexa-auth pnpm",
    operands: &[],
    variable: None,
    intake: |_| StdinMode::Nothing,
    read: |_| Ok(ask()),
    complain: |_| ErrorFormat::ExitCode,
};

fn ask() -> ParsedRequest {
    ParsedRequest::new(Request::Token(TokenQuery::for_any()), |reply| match reply {
        Reply::Credential(credential) => super::header_value(credential),
        Reply::NotMine | Reply::Done => Response::not_covered(),
    })
}
