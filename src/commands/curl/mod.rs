//! `curl`: one request of the system's curl, to one of the profile's hosts, with the token.
//!
//! Where the request may be made once more, the answer is held back while it is a 401: then the
//! token is dropped, and curl is started again with a new one. Where it may not, the process
//! becomes curl.

mod run;

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::ExitCode;

use super::Context;
use super::session::{Caller, Session};
use crate::cli::UsageError;
use crate::config::Profile;
use crate::curl::Arguments;
use crate::diagnostics::error::{CurlError, Error};
use crate::system::clock::SystemClock;
use crate::types::token::AccessToken;
use crate::types::uri::Uri;

use run::Call;

#[cold]
pub(super) fn run(
    context: &Context<'_>,
    path: &OsStr,
    arguments: &[OsString],
    stdout: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let path = path.to_str().ok_or(UsageError::NotText)?;
    let session = Session::open(context, Caller::Person)?;
    let (profile, url) = target(&session, path)?;
    let asked = Arguments::read(arguments, url.origin().scheme()).map_err(CurlError::Arguments)?;
    let token = session.obtain(profile)?.token.access_token;

    let call = Call {
        url: &url,
        arguments,
        asked: &asked,
        secret_variables: profile.secret_variables().collect(),
    };
    if !asked.is_repeatable {
        return call.once(&token, stdout);
    }
    let ended = call.held_back(&token, stdout)?;
    let Some(refusal) = ended.refusal else {
        return Ok(ended.code);
    };
    context.report.debug("the server refused the token (401)");
    match renewed(context, path, &token) {
        Ok(Some(next)) => call.once(&next, stdout),
        // Dropped a moment ago already: the new one is refused like the old one.
        Ok(None) => {
            let what = "a token was refused less than a minute ago: this answer is passed on";
            context.report.debug(what);
            refusal.release(stdout);
            Ok(ended.code)
        }
        Err(error) => {
            refusal.release(stdout);
            let what = error.diagnostic().what;
            let warning = format!("the server refused the token, and there is no new one: {what}");
            context.report.warning(&warning);
            Ok(ended.code)
        }
    }
}

/// The URL, and the profile whose token goes there: a path of the base URL, or a URL on one of the
/// profile's hosts.
fn target<'a>(session: &'a Session<'_>, path: &str) -> Result<(&'a Profile, Uri), Error> {
    if path.starts_with("//") {
        // Elsewhere in the world this names a host.
        return Err(session.not_covered(&format!("https:{path}")));
    }
    if !path.starts_with('/') {
        if !path.contains(':') {
            return Err(CurlError::NoSlash.into());
        }
        let profile = session.profile_for(path)?;
        return match (profile, Uri::parse(path)) {
            (Some(profile), Ok(url)) => Ok((profile, url)),
            _ => Err(session.not_covered(path)),
        };
    }
    let profile = session.profile()?;
    let base = profile.base_url.as_ref();
    let base = base.ok_or_else(|| CurlError::NoBaseUrl {
        profile: profile.name.clone(),
    })?;
    let url = Uri::parse(&format!("{base}{path}")).map_err(CurlError::Path)?;
    if url.origin() != base.origin() {
        return Err(session.not_covered(&url.to_string()));
    }
    Ok((profile, url))
}

/// Another token than the refused one; the time of this run begins anew, for curl may have used it
/// up. `None` where the refused one is still the answer.
fn renewed(
    context: &Context<'_>,
    path: &str,
    refused: &AccessToken,
) -> Result<Option<AccessToken>, Error> {
    let clock = SystemClock::start();
    let context = &Context {
        clock: &clock,
        has_told_of_cache: context.has_told_of_cache.clone(),
        ..*context
    };
    let session = Session::open(context, Caller::Person)?;
    let (profile, _) = target(&session, path)?;
    let issued = session.renew(profile, Some(refused.expose()))?;
    let token = issued.token.access_token;
    Ok(Some(token).filter(|token| token != refused))
}
