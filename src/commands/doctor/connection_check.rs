//! The connection to the server, checked step by step to find the step that fails: proxy, name
//! lookup, TCP, TLS, an HTTP response, and the clock difference that its date shows.

use std::time::Duration;

use super::Case;
use super::finding::Finding;
use super::tls_handshake;
use crate::diagnostics::error::{Code, code_of};
use crate::oauth::{
    ApiResponse, ErrorClass, ErrorMessage, Http, HttpSettings, Proxies, SetupError, date_of, get,
};
use crate::token_provider::{ObtainError, explain};
use crate::types::duration::show;
use crate::types::uri::{Scheme, Uri};

use time::OffsetDateTime;

/// The largest clock difference that is not reported.
const SKEW: Duration = Duration::from_secs(60);

/// The hint if the error has none of its own.
const CHECK_NETWORK: &str = "check the network, the proxy and the profile's `cloud_id` or \
                             `base_url`";

/// The names of all checks in this module, in order.
pub(super) const NAMES: [&str; 6] = ["proxy", "dns", "tcp", "tls", "http", "clock"];

/// The HTTP client for the origin of `url`, with the settings of the profile and the environment.
pub(super) fn http<'a>(case: &'a Case<'_>, url: &Uri) -> Result<Http<'a>, SetupError> {
    let settings = HttpSettings {
        origin: url.origin().clone(),
        ca_file: case.profile.ca_file.clone(),
        proxies: Proxies::of(case.context.environment),
    };
    Http::new(&settings, case.context.roots)
}

/// Checks the connection to the token endpoint; returns `true` if it works.
pub(super) fn check(case: &Case<'_>, findings: &mut Vec<Finding>) -> bool {
    let before = findings.len();
    let is_open = go(case, findings).is_some();
    // Steps after the failed one were not checked.
    for name in NAMES {
        if !findings.iter().skip(before).any(|it| it.name == name) {
            findings.push(Finding::skipped(name, "an earlier check failed"));
        }
    }
    is_open
}

fn go(case: &Case<'_>, findings: &mut Vec<Finding>) -> Option<()> {
    let url = &case.profile.client.token_url;
    let (origin, clock) = (url.origin(), case.context.clock);
    let http = match http(case, url) {
        Ok(http) => http,
        Err(error) => {
            let name = match error {
                SetupError::Proxy(_) => "proxy",
                SetupError::Roots(_) => "tls",
            };
            let error = ObtainError::SetUp(error);
            let told = explain(&error, case.profile, clock.now());
            findings.push(Finding::of_error(name, code_of(&error), told));
            return None;
        }
    };
    findings.push(proxy(case, &http));
    let (name, port) = http.proxy().unwrap_or((origin.host(), origin.port()));

    case.say(&format!("looking for {name}"));
    let addresses = match tls_handshake::resolve(&http, (name, port), clock, case.deadline) {
        Ok(addresses) => addresses,
        Err(failure) => {
            let fix = "check the name in `cloud_id`, `base_url`, `token_url` or the proxy's \
                        variable, and this machine's DNS";
            findings.push(failed("dns", failure.message(), fix));
            return None;
        }
    };
    let shown: Vec<String> = addresses.iter().map(|it| it.ip().to_string()).collect();
    let is_address = shown
        .iter()
        .any(|shown| shown == name.trim_matches(['[', ']']));
    findings.push(Finding::ok(
        "dns",
        if is_address {
            format!("{name} is an address")
        } else {
            format!("{name} is {}", shown.join(", "))
        },
    ));

    case.say(&format!("connecting to {name}:{port}"));
    let stream = match tls_handshake::connect(&http, &addresses, clock, case.deadline) {
        Ok(stream) => stream,
        Err(failure) => {
            findings.push(failed("tcp", failure.message(), CHECK_NETWORK));
            return None;
        }
    };
    findings.push(Finding::ok(
        "tcp",
        format!("{name}:{port} takes connections"),
    ));

    match (origin.scheme(), http.proxy()) {
        (Scheme::Http, _) => {
            findings.push(Finding::skipped("tls", "plain HTTP, on loopback"));
        }
        (Scheme::Https, None) => {
            match tls_handshake::shake_hands(&http, stream, origin, clock, case.deadline) {
                Ok(trusted) => {
                    let chain = trusted.chain;
                    let plural = if chain == 1 { "" } else { "s" };
                    let what = format!(
                        "{}, {chain} certificate{plural} sent, trusted by {}",
                        trusted.protocol,
                        roots(case, &http)
                    );
                    findings.push(Finding::ok("tls", what));
                }
                Err(failure) => {
                    findings.push(untrusted(case, &http, failure.message()));
                    return None;
                }
            }
        }
        // The proxy opens a tunnel only for a complete request, which follows.
        (Scheme::Https, Some(_)) => {}
    }

    case.say(&format!("asking {origin} for the time"));
    let asked_at = clock.now();
    let seen = match get(&http, &root_of(url), None, clock, case.deadline) {
        Ok(seen) => seen,
        Err(failure) => {
            let is_tls_open = findings.iter().any(|it| it.name == "tls");
            findings.push(if is_tls_open {
                failed("http", failure.message(), CHECK_NETWORK)
            } else {
                untrusted(case, &http, failure.message())
            });
            return None;
        }
    };
    if http.proxy().is_some() && origin.scheme() == Scheme::Https {
        let what = format!("through the proxy, trusted by {}", roots(case, &http));
        findings.push(Finding::ok("tls", what));
    }
    let what = format!("{origin} answers ({} for `/`)", seen.status);
    findings.push(Finding::ok("http", what));
    findings.push(skew(&seen, asked_at, clock.now()));
    Some(())
}

/// The root URL of the origin, which every server answers.
fn root_of(url: &Uri) -> Uri {
    Uri::parse(&format!("{}/", url.origin())).unwrap_or_else(|_| url.clone())
}

fn proxy(case: &Case<'_>, http: &Http<'_>) -> Finding {
    let proxies = Proxies::of(case.context.environment);
    let origin = case.profile.client.token_url.origin();
    let what = match (proxies.for_origin(origin), http.proxy()) {
        (Some((variable, _)), Some((name, port))) => format!("{name}:{port}, by {variable}"),
        _ => match proxies.variable() {
            Some(name) if origin.scheme() == Scheme::Https => {
                format!("none: NO_PROXY excepts this server from {name}")
            }
            Some(_) => "none: plain HTTP never takes one".to_owned(),
            None => "none".to_owned(),
        },
    };
    Finding::ok("proxy", what)
}

/// Describes the root certificates that a server certificate is verified with.
fn roots(case: &Case<'_>, http: &Http<'_>) -> String {
    let environment = case.context.environment;
    let named: Vec<String> = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .filter_map(|name| {
            let path = crate::types::quote::path(&environment.path(name)?);
            Some(format!("{name} ({path})"))
        })
        .collect();
    let base = match named.as_slice() {
        [] => "the system's roots".to_owned(),
        named => named.join(" and "),
    };
    let known = http.roots();
    let count = known.map_or(0, |known| known.certificates().count());
    let plural = if count == 1 { "" } else { "s" };
    let more = match &case.profile.ca_file {
        Some(path) => format!(" and `ca_file` ({})", crate::types::quote::path(path)),
        None => String::new(),
    };
    format!("{base}{more}, {count} root{plural} in all")
}

fn untrusted(case: &Case<'_>, http: &Http<'_>, message: ErrorMessage) -> Finding {
    let is_untrusted = message.class == ErrorClass::Unusable;
    let mut finding = failed("tls", message, CHECK_NETWORK);
    if is_untrusted {
        finding.what = format!("{}; trusted is {}", finding.what, roots(case, http));
    }
    finding
}

/// Checks whether this machine's clock agrees with the server's. A difference has little effect on
/// tokens, whose lifetime is measured by this machine's clock only; it matters for certificates.
fn skew(seen: &ApiResponse, asked_at: OffsetDateTime, answered_at: OffsetDateTime) -> Finding {
    const NAME: &str = "clock";
    let Some(there) = seen.date.as_deref().and_then(date_of) else {
        return Finding::skipped(NAME, "the server does not tell the time");
    };
    let difference = if there < asked_at {
        // The `Date` header has no fractions of a second.
        asked_at - there - time::Duration::SECOND
    } else {
        there - answered_at
    };
    let difference = Duration::try_from(difference).unwrap_or_default();
    if difference <= SKEW {
        return Finding::ok(NAME, "goes as the server's");
    }
    let way = if there < asked_at {
        "ahead of"
    } else {
        "behind"
    };
    Finding::warning(
        NAME,
        format!(
            "this machine's clock is {} {way} the server's",
            show(difference)
        ),
        "set it (`timedatectl set-ntp true`): certificates and expiry times are judged by it",
    )
}

/// A finding for a failed request; `fix` is the hint if the error has none of its own.
pub(super) fn failed(name: &'static str, message: ErrorMessage, fix: &str) -> Finding {
    let what = match message.detail {
        Some(detail) => format!("{}: {detail}", message.reason),
        None => message.reason,
    };
    let hint = match message.class {
        ErrorClass::TimedOut => format!("{fix}; or allow more time with `--timeout`"),
        _ => message.hint.unwrap_or_else(|| fix.to_owned()),
    };
    Finding::failed(name, Code::Unavailable, what, Some(hint))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::super::finding::State;
    use super::{ApiResponse, skew};

    #[test]
    fn a_clock_that_is_a_minute_off_is_told_of_either_way() {
        let now = OffsetDateTime::from_unix_timestamp(784_111_777).unwrap();
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        for (here, state, words) in [
            (now, State::Ok, "goes as"),
            (now + minutes(1), State::Ok, "goes as"),
            (now - minutes(1), State::Ok, "goes as"),
            (now + minutes(2), State::Warning, "1m59s ahead of"),
            (now - minutes(2), State::Warning, "2m behind"),
        ] {
            let seen = ApiResponse {
                status: 200,
                date: Some("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
                requests_left: None,
                next_request_in: None,
                pause: None,
                encoding: None,
                location: None,
                body: zeroize::Zeroizing::default(),
            };
            let found = skew(&seen, here, here);
            assert_eq!(found.state, state, "{found:?}");
            assert!(found.what.contains(words), "{found:?}");
        }
    }
}
