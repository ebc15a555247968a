//! `curl`: one request of the system's curl, to one of the profile's hosts, with the token.
//!
//! A 401 drops the token. If a request can be repeated, its 401 is held back, and the request is
//! sent once more with a new token.

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

/// The debug message for a 401 that drops nothing.
const REFUSED_LATELY: &str = "a token was refused less than a minute ago: this answer is passed on";

#[cold]
pub(super) fn run(
    context: &Context<'_>,
    path: &OsStr,
    allowed: &[String],
    arguments: &[OsString],
    stdout: &mut dyn Write,
) -> Result<ExitCode, Error> {
    let path = path.to_str().ok_or(UsageError::NotText)?;
    let session = Session::open(context, Caller::Person)?;
    let (profile, url) = target(&session, path)?;
    let scheme = url.origin().scheme();
    let asked = Arguments::read(arguments, scheme, allowed).map_err(CurlError::Arguments)?;
    if profile.ca_file.is_none() {
        let checked = asked.check_trust_variables(context.environment);
        checked.map_err(CurlError::Arguments)?;
    }
    let token = session.obtain(profile)?.token.access_token;

    let call = Call {
        url: &url,
        arguments,
        asked: &asked,
        ca_file: profile.ca_file.as_deref(),
        environment: context.environment,
    };
    let ended = call.run(&token, asked.is_repeatable, stdout)?;
    if !ended.is_refused {
        return Ok(ended.code);
    }
    context.report.debug("the server refused the token (401)");
    let Some(refusal) = ended.held else {
        drop_token(context, path, &token);
        return Ok(ended.code);
    };
    match renewed(context, path, &token) {
        Ok(Some(next)) => Ok(call.run(&next, false, stdout)?.code),
        // A token was dropped less than a minute ago: its replacement is refused as well.
        Ok(None) => {
            context.report.debug(REFUSED_LATELY);
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

/// Drops the refused token of a request that is not repeated, and reports that.
fn drop_token(context: &Context<'_>, path: &str, token: &AccessToken) {
    let dropped = with_new_time(context, |context| {
        let session = Session::open(context, Caller::Person)?;
        let (profile, _) = target(&session, path)?;
        session.reject(profile, token)
    });
    match dropped {
        Ok(true) => context.report.warning(
            "the server refused the token (401): it was dropped, and the next call requests a new \
             one",
        ),
        Ok(false) => context.report.debug(REFUSED_LATELY),
        Err(error) => {
            let what = error.diagnostic().what;
            let warning = format!("the refused token (401) could not be dropped: {what}");
            context.report.warning(&warning);
        }
    }
}

/// The URL and the profile that owns it. `path` is a path below the base URL, or a URL on one of
/// the profile's hosts.
fn target<'a>(session: &'a Session<'_>, path: &str) -> Result<(&'a Profile, Uri), Error> {
    if path.starts_with("//") {
        // In a URL reference, `//` is followed by a host.
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

/// Returns a token other than the refused one; `None` if the refused one is still current.
fn renewed(
    context: &Context<'_>,
    path: &str,
    refused: &AccessToken,
) -> Result<Option<AccessToken>, Error> {
    with_new_time(context, |context| {
        let session = Session::open(context, Caller::Person)?;
        let (profile, _) = target(&session, path)?;
        let issued = session.renew(profile, Some(refused.expose()))?;
        let token = issued.token.access_token;
        Ok(Some(token).filter(|token| token != refused))
    })
}

/// Calls `act` with a time limit that starts now, because curl may have used up the first one.
fn with_new_time<T>(
    context: &Context<'_>,
    act: impl FnOnce(&Context<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let clock = SystemClock::start();
    act(&Context {
        clock: &clock,
        has_told_of_cache: context.has_told_of_cache.clone(),
        ..*context
    })
}
