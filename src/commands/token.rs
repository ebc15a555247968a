//! `token`: prints the bare token for scripts, or the token and its metadata as JSON.

use serde::Serialize;
use zeroize::Zeroizing;

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::diagnostics::error::Error;
use crate::protocol::{json_line, timestamp};

pub(super) fn run(context: &Context<'_>, json: bool, uri: Option<&str>) -> Result<Output, Error> {
    let session = Session::open(context, Caller::Person)?;
    let profile = session.profile_or_refusal(uri)?;
    let issued = session.obtain(profile)?;
    let access_token = issued.token.access_token.expose();
    if !json {
        let mut line = Zeroizing::new(Vec::with_capacity(access_token.len() + 1));
        line.extend_from_slice(access_token.as_bytes());
        line.push(b'\n');
        return Ok(line);
    }
    Ok(json_line(&WireToken {
        access_token,
        token_type: "Bearer",
        expires_at: timestamp(issued.token.expires_at),
        usable_until: timestamp(issued.usable_until),
        expires_in: issued.token.time_left(context.clock.now()).as_secs(),
        scope: issued.token.scope.as_deref(),
        profile: &profile.name,
        base_url: profile.base_url.as_ref().map(ToString::to_string),
    }))
}

#[derive(Serialize)]
struct WireToken<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_at: String,
    usable_until: String,
    /// In seconds.
    expires_in: u64,
    scope: Option<&'a str>,
    profile: &'a str,
    base_url: Option<String>,
}
