//! Validates and interprets a parsed profile. All rules are checked here, once, and errors have a
//! position.

use std::ops::Range;

use super::file::{At, Document, RawProfile, RawSource, listed};
use super::{ENVIRONMENT_PROFILE, Profile, ProfileError, lifetime, shared};
use crate::oauth::{AuthMethod, Client, Form};
use crate::secret_source::{HelperEntry, Source};
use crate::types::duration;
use crate::types::quote::{nearest, quote};
use crate::types::token::MinTtl;
use crate::types::uri::{Origin, Uri};

/// The path of the vendor's token endpoint.
const TOKEN_PATH: &str = "/api/v1/oauth/token";

/// The suffix after the Cloud ID in the host name of the API.
pub(super) const TENANT_SUFFIX: &str = ".api.openvpn.com";

/// Returns the base URL of a tenant's API.
pub(crate) fn tenant_url(cloud_id: &str) -> Option<Uri> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if cloud_id.is_empty() || cloud_id.len() > 63 || !cloud_id.bytes().all(plain) {
        return None;
    }
    Uri::parse_base(&format!(
        "https://{}{TENANT_SUFFIX}",
        cloud_id.to_ascii_lowercase()
    ))
    .ok()
}

/// Returns the token endpoint under a base URL.
pub(super) fn token_url(base_url: &Uri) -> Uri {
    base_url.join(TOKEN_PATH)
}

/// Checks the name of a profile, which becomes part of a file name.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if name == ENVIRONMENT_PROFILE {
        Err(format!(
            "the name `{name}` is kept for the profile that environment variables make"
        ))
    } else if !starts_well || name.len() > 64 || !name.bytes().all(plain) {
        Err(format!(
            "`{}` is not a name for a profile; use up to 64 letters, digits, `-`, `_` and `.`, \
             beginning with a letter or a digit",
            quote(name)
        ))
    } else {
        Ok(())
    }
}

/// Checks a client ID (RFC 6749 §A.1: printable ASCII).
pub(crate) fn check_client_id(client_id: &str) -> Result<(), &'static str> {
    let printable = client_id.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if client_id.is_empty() || client_id.len() > 1024 || !printable {
        return Err("`client_id` must be 1 to 1024 printable ASCII characters");
    }
    Ok(())
}

/// Interprets a parsed profile.
pub(super) fn resolve(
    document: &Document<'_>,
    written: RawProfile,
) -> Result<Profile, ProfileError> {
    let invalid = |span: &Range<usize>, problem: String, hint: Option<String>| {
        document.invalid(span, problem, hint)
    };
    check_name(&written.name.value)
        .map_err(|problem| invalid(&written.name.span, problem, None))?;
    let base_url = resolve_base_url(document, &written)?;
    let token_url = match (&written.token_url, &base_url) {
        (Some(at), _) => uri(document, at, "token_url", Uri::parse)?,
        (None, Some(base)) => token_url(base),
        (None, None) => {
            let name = &written.name;
            let problem = format!("[profiles.{}] names no server", name.value);
            let hint = "add `cloud_id = \"…\"` (or `base_url`, or `token_url`)".to_owned();
            return Err(invalid(&name.span, problem, Some(hint)));
        }
    };
    let Some(client_id) = &written.client_id else {
        return Err(missing(document, &written.name, "client_id = \"…\""));
    };
    check_client_id(&client_id.value)
        .map_err(|problem| invalid(&client_id.span, problem.to_owned(), None))?;
    let source = match &written.client_secret {
        Some(at) => {
            let server = || format!("{}/{}", token_url.origin(), client_id.value);
            resolve_source(document, at, server, &client_id.value)?
        }
        None => {
            return Err(missing(
                document,
                &written.name,
                "client_secret = { file = \"…\" }",
            ));
        }
    };
    let mut origins: Vec<Origin> = base_url.iter().map(|base| base.origin().clone()).collect();
    for at in &written.hosts {
        let read = Origin::of_host(&at.value).map_err(|error| {
            let problem = format!("not a host or host:port: {error}");
            invalid(&at.span, problem, None)
        })?;
        origins.extend(read);
    }
    let period = |at: &Option<At<String>>| match at {
        Some(at) => duration::parse(&at.value)
            .map(Some)
            .map_err(|error| invalid(&at.span, error.to_string(), None)),
        None => Ok(None),
    };
    let timeout = period(&written.timeout)?;
    if let (Some(at), Some(limit)) = (&written.timeout, timeout)
        && limit.is_zero()
    {
        return Err(invalid(
            &at.span,
            "`timeout` must be more than nothing".to_owned(),
            None,
        ));
    }
    Ok(Profile {
        cloud_id: written.cloud_id.map(|at| at.value),
        client: Client {
            fallback: fallback_form(&token_url, base_url.as_ref()),
            token_url,
            client_id: client_id.value.clone(),
            scope: parameter(document, written.scope, "scope")?,
            audience: parameter(document, written.audience, "audience")?,
            auth_method: resolve_method(document, written.auth_method.as_ref())?,
        },
        base_url,
        source,
        secret_expires: match &written.secret_expires {
            Some(at) => Some(lifetime::parse_date(&at.value).ok_or_else(|| {
                let problem = "`secret_expires` must be a date such as 2027-05-22".to_owned();
                invalid(&at.span, problem, None)
            })?),
            None => None,
        },
        min_ttl: period(&written.min_ttl)?.map_or(MinTtl::Default, MinTtl::AtLeast),
        origins,
        timeout,
        ca_file: written.ca_file.map(|at| document.path(&at.value)),
        shared_store: match written.shared_store {
            Some(store) => Some(Box::new(shared::resolve(document, *store)?)),
            None => None,
        },
        name: written.name.value,
    })
}

/// The form that `auto` tries after `basic`: the documented `query` if the token endpoint is
/// CloudConnexa's, `body` (RFC 6749 §2.3.1) for any other server.
fn fallback_form(token_url: &Uri, base_url: Option<&Uri>) -> Form {
    let origin = token_url.origin();
    let is_vendor = base_url.is_some_and(|base| base.origin() == origin)
        || origin.host().ends_with(".api.openvpn.com");
    if is_vendor { Form::Query } else { Form::Body }
}

fn resolve_base_url(
    document: &Document<'_>,
    written: &RawProfile,
) -> Result<Option<Uri>, ProfileError> {
    let tenant = match &written.cloud_id {
        Some(at) => Some(tenant_url(&at.value).ok_or_else(|| {
            let problem = format!(
                "`{}` is not a Cloud ID; it is the first part of your portal's host name, letters, \
                 digits and `-`",
                quote(&at.value)
            );
            document.invalid(&at.span, problem, None)
        })?),
        None => None,
    };
    // If both are set, `base_url` is the server and `cloud_id` the tenant, as with a gateway.
    match &written.base_url {
        Some(at) => uri(document, at, "base_url", Uri::parse_base).map(Some),
        None => Ok(tenant),
    }
}

/// Resolves a secret source. A keychain stores the secret under `server` and `user`.
pub(super) fn resolve_source(
    document: &Document<'_>,
    at: &At<RawSource>,
    server: impl FnOnce() -> String,
    user: &str,
) -> Result<Source, ProfileError> {
    let invalid = |problem: &str| document.invalid(&at.span, problem, None);
    if matches!(at.value, RawSource::Command(_) | RawSource::DockerHelper(_)) {
        document.check_may_run(&at.span)?;
    }
    match &at.value {
        RawSource::File(path) if path.is_empty() => Err(invalid("`file` is empty")),
        RawSource::File(path) => Ok(Source::File(document.path(path))),
        RawSource::Variable(name) if !is_variable_name(name) => Err(invalid(
            "`env` must be the name of an environment variable, not a secret",
        )),
        RawSource::Variable(name) => Ok(Source::Variable(name.clone())),
        RawSource::Command(words) if words.first().is_none_or(String::is_empty) => Err(invalid(
            "`command` must be a program and its arguments, as a list of texts",
        )),
        RawSource::Command(words) if words.iter().any(|word| word.contains('\0')) => {
            Err(invalid("`command` holds a NUL character"))
        }
        RawSource::Command(words) => Ok(Source::Command(words.clone())),
        RawSource::SystemdCredential(name) if is_plain_name(name) => {
            Ok(Source::SystemdCredential(name.clone()))
        }
        RawSource::SystemdCredential(_) => Err(invalid(
            "`systemd_credential` must be a plain name, as in LoadCredential=NAME",
        )),
        RawSource::DockerHelper(name) => {
            check_helper_name(name).map_err(invalid)?;
            Ok(Source::DockerHelper(HelperEntry {
                name: name.clone(),
                server: server(),
                client_id: user.to_owned(),
            }))
        }
    }
}

/// Checks `NAME` of a `docker-credential-NAME`.
pub(crate) fn check_helper_name(name: &str) -> Result<(), &'static str> {
    if name == "cloudconnexa" {
        // This program has that name itself and would call itself for the secret.
        return Err(
            "`docker_helper` must name a keychain's helper; `docker-credential-cloudconnexa` is \
             this program",
        );
    }
    if !is_plain_name(name) {
        return Err("`docker_helper` must be NAME of a program `docker-credential-NAME`");
    }
    Ok(())
}

fn is_plain_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && name.bytes().all(plain) && !name.starts_with(['.', '-'])
}

fn resolve_method(
    document: &Document<'_>,
    written: Option<&At<String>>,
) -> Result<AuthMethod, ProfileError> {
    let Some(at) = written else {
        return Ok(AuthMethod::Auto);
    };
    AuthMethod::parse(&at.value).ok_or_else(|| {
        let problem = format!("`{}` is not an `auth_method`", quote(&at.value));
        let hint = match nearest(&at.value, AuthMethod::NAMES) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("use one of {}", listed(&AuthMethod::NAMES)),
        };
        document.invalid(&at.span, problem, Some(hint))
    })
}

fn parameter(
    document: &Document<'_>,
    at: Option<At<String>>,
    key: &str,
) -> Result<Option<String>, ProfileError> {
    let Some(at) = at else { return Ok(None) };
    if at.value.is_empty() || at.value.chars().any(char::is_control) {
        let problem = format!("`{key}` must be a text without control characters, not empty");
        return Err(document.invalid(&at.span, problem, None));
    }
    Ok(Some(at.value))
}

fn uri(
    document: &Document<'_>,
    at: &At<String>,
    key: &str,
    parse: fn(&str) -> Result<Uri, crate::types::uri::UriError>,
) -> Result<Uri, ProfileError> {
    // The error does not show the value, because it may contain user info.
    parse(&at.value).map_err(|error| {
        document.invalid(&at.span, format!("`{key}` is not usable: {error}"), None)
    })
}

fn missing(document: &Document<'_>, name: &At<String>, line: &str) -> ProfileError {
    let key = line.split(' ').next().unwrap_or_default();
    let problem = format!("[profiles.{}] has no `{key}`", name.value);
    document.invalid(&name.span, problem, Some(format!("add `{line}`")))
}

/// Whether this is the name of a variable (POSIX.1-2017 §8.1, also in lower case). Any other text
/// may be a pasted secret and must not be shown as a name.
fn is_variable_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts_well = name
        .bytes()
        .next()
        .is_some_and(|byte| !byte.is_ascii_digit());
    starts_well && name.len() <= 100 && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::{check_client_id, check_helper_name, check_name, is_variable_name, tenant_url};

    /// Checks for each text whether it is accepted as expected.
    #[track_caller]
    fn holds(is_taken: impl Fn(&str) -> bool, texts: &[(&str, bool)]) {
        for (text, expected) in texts {
            assert_eq!(is_taken(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn a_name_may_be_as_long_as_is_said_and_no_longer() {
        let long = |count: usize| "a".repeat(count);
        let tenant = |text: &str| tenant_url(text).is_some();
        let client_id = |text: &str| check_client_id(text).is_ok();
        let name = |text: &str| check_name(text).is_ok();
        holds(
            tenant,
            &[("", false), (&long(63), true), (&long(64), false)],
        );
        holds(client_id, &[("", false), (&long(1024), true)]);
        holds(client_id, &[(&long(1025), false)]);
        holds(name, &[("", false), (&long(64), true), (&long(65), false)]);
        holds(is_variable_name, &[("", false), (&long(100), true)]);
        holds(is_variable_name, &[(&long(101), false)]);
    }

    #[test]
    fn a_name_is_made_of_what_it_may_be_made_of() {
        let tenant = |text: &str| tenant_url(text).is_some();
        holds(tenant, &[("Acme-1", true), ("a.b", false), ("a_b", false)]);
        let client_id = |text: &str| check_client_id(text).is_ok();
        holds(client_id, &[("a b~", true), ("a\n", false), ("é", false)]);
        let name = |text: &str| check_name(text).is_ok();
        holds(name, &[("a-_.1", true), ("1", true), ("env", false)]);
        holds(name, &[("a/b", false), (".a", false), ("-a", false)]);
        holds(is_variable_name, &[("_A1", true), ("a", true)]);
        holds(is_variable_name, &[("1A", false), ("A-B", false)]);
        let helper = |text: &str| check_helper_name(text).is_ok();
        holds(helper, &[("secretservice", true), ("a-_.1", true)]);
        holds(helper, &[("", false), ("a/b", false), (".a", false)]);
        holds(helper, &[("-a", false), ("cloudconnexa", false)]);
    }
}
