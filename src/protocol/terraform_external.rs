//! Terraform's `external` data source (the `hashicorp/external` provider's "External Program
//! Protocol"): an object of strings in, an object of strings out.
//!
//! Terraform stores the output in the state and in plan files, unencrypted.

use serde::Serialize;

use super::json::{self, Members};
use super::tool_protocol::{
    Call, End, ErrorFormat, ParsedRequest, Protocol, Reply, Request, Response, StdinMode,
    TokenQuery,
};
use super::{InputError, timestamp};

pub(super) const ADAPTOR: Protocol = Protocol {
    name: "terraform-external",
    protocol: "terraform-external",
    program: None,
    summary: "Be the program of Terraform's `external` data source",
    details: "Reads the data source's query, of which it knows `profile` and `min_ttl`, and \
              answers with texts: access_token, token_type, authorization, expires_at, \
              usable_until, expires_unix, scope, profile, base_url. Terraform writes them into \
              the state in clear; where that matters, hand the token over in an ephemeral \
              variable instead.",
    examples: "  echo '{\"profile\":\"prod\",\"min_ttl\":\"1h\"}' | \
               cloudconnexa-auth terraform-external",
    operands: &[],
    variable: None,
    intake: |_| StdinMode::All,
    read,
    complain: |_| ErrorFormat::ExitCode,
};

fn read(call: &Call<'_>) -> Result<ParsedRequest, InputError> {
    let mut query = Members::parse(call.input)?;
    let mut wanted = TokenQuery::for_any();
    for (key, flag) in [("profile", "--profile"), ("min_ttl", "--min-ttl")] {
        let value = query.text(key)?;
        wanted
            .flags
            .extend(value.map(|value| format!("{flag}={value}")));
    }
    query.nothing_left(["profile", "min_ttl"])?;
    Ok(ParsedRequest::new(Request::Token(wanted), say))
}

fn say(reply: &Reply<'_>) -> Response {
    let Reply::Credential(credential) = reply else {
        return Response::not_covered();
    };
    let token = credential.token;
    let result = WireResult {
        access_token: credential.text(),
        token_type: "Bearer",
        authorization: &super::bearer(credential),
        expires_at: timestamp(token.expires_at),
        usable_until: timestamp(credential.usable_until),
        expires_unix: token.expires_at.unix_timestamp().to_string(),
        scope: token.scope.as_deref().unwrap_or_default(),
        profile: credential.profile,
        base_url: credential
            .base_url
            .map(ToString::to_string)
            .unwrap_or_default(),
    };
    Response {
        stdout: json::line(&result),
        end: End::Answered,
    }
}

/// Terraform accepts strings only: no number, no `null`.
#[derive(Serialize)]
struct WireResult<'a> {
    access_token: &'a str,
    token_type: &'static str,
    authorization: &'a str,
    expires_at: String,
    usable_until: String,
    /// `expires_at` in seconds since 1970.
    expires_unix: String,
    scope: &'a str,
    profile: &'a str,
    base_url: String,
}
