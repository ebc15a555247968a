//! The checks of the server: a token, the authentication method of its request, its scope, and an
//! authorised API call with it.

use std::cell::{Cell, RefCell};

use super::Case;
use super::connection_check;
use super::finding::Finding;
use crate::commands::API_PATH;
use crate::commands::session::{key_of, store_of, tell};
use crate::diagnostics::error::{Code, code_of};
use crate::oauth::{ApiResponse, AuthMethod, ExchangeError, Form, TokenGrant, get};
use crate::secret_source::SourceError;
use crate::system::clock::{Clock, Deadline};
use crate::token_provider::{
    Endpoint, Event, ObtainError, ProfileEndpoint, TokenProvider, TokenRequest, explain,
};
use crate::types::diagnostic::Diagnostic;
use crate::types::duration::show;
use crate::types::quote::quote;
use crate::types::redact::redact;
use crate::types::secret::Secret;
use crate::types::token::{RefreshAhead, Token};
use crate::types::uri::Uri;

/// The names of all checks in this module, in order.
pub(super) const NAMES: [&str; 5] = ["token", "form", "scope", "api", "rate_limit"];

/// A token, and whether it was requested just now.
struct Found {
    token: Token,
    is_new: bool,
}

/// Runs the checks that are possible with this connection and secret.
pub(super) fn check(
    case: &Case<'_>,
    secret: Option<Secret>,
    is_open: bool,
    findings: &mut Vec<Finding>,
) {
    let skip = |findings: &mut Vec<Finding>, why: &str| {
        for name in NAMES {
            if !findings.iter().any(|it| it.name == name) {
                findings.push(Finding::skipped(name, why));
            }
        }
    };
    if !is_open {
        return skip(findings, "no connection to the server");
    }
    let found = match secret {
        Some(secret) => ask(case, secret, findings),
        None => look(case, findings),
    };
    let why = match found {
        Some(found) => {
            findings.push(scope(&found.token));
            call(case, &found, findings);
            "not asked"
        }
        None => "not asked: no token",
    };
    skip(findings, why);
}

/// Gets a token from the token provider as every other command does, but with one request at most.
/// It sends no request if a good token is cached or a cool-down is active.
fn ask(case: &Case<'_>, secret: Secret, findings: &mut Vec<Finding>) -> Option<Found> {
    const NAME: &str = "token";
    let (context, profile) = (case.context, case.profile);
    let (clock, began) = (context.clock, context.clock.now());
    let endpoint = Attentive {
        inner: ProfileEndpoint::new(profile, context.environment, context.roots),
        secret,
        was_asked: Cell::new(false),
        form: RefCell::default(),
    };
    let notify = |notice: Event<'_>| match notice {
        Event::Asking => {
            let server = profile.client.token_url.origin();
            case.say(&format!("asking {server} for a token"));
        }
        Event::Waiting { .. } => {
            case.progress.take();
            tell(context, profile, &notice);
        }
        // The cache check reports problems with the cache.
        _ => {}
    };
    let store = store_of(context, profile, case.deadline);
    let identity = || key_of(profile);
    let shared = store.as_ref().map(|store| store.shared(&identity));
    let broker = TokenProvider {
        clock,
        slot: case.session.slot(profile),
        endpoint: &endpoint,
        shared: shared.as_ref(),
        notify: &notify,
    };
    let token = broker.obtain(&TokenRequest {
        min_ttl: case.session.min_ttl(profile),
        not_before: context.options.refresh.then_some(began),
        refresh_ahead: RefreshAhead::Never,
        is_single: true,
        began,
        deadline: case.deadline,
    });
    case.progress.take();
    let is_new = endpoint.was_asked.get();
    match token {
        Ok(token) => {
            let left = show(token.time_left(clock.now()));
            findings.push(Finding::ok(
                NAME,
                if is_new {
                    format!("given, good for {left}")
                } else {
                    format!("cached, {left} left; none was asked for (`--refresh` asks)")
                },
            ));
            findings.push(form(case, endpoint.form.take()));
            Some(Found { token, is_new })
        }
        Err(error) => {
            let told = explain(&error, profile, clock.now());
            findings.push(Finding::of_error(NAME, code_of(&error), told));
            None
        }
    }
}

/// The cached token, if no secret is available to request another one.
fn look(case: &Case<'_>, findings: &mut Vec<Finding>) -> Option<Found> {
    const NAME: &str = "token";
    let now = case.context.clock.now();
    let min_ttl = case.session.min_ttl(case.profile);
    let entry = case.session.slot(case.profile).map(|slot| slot.read());
    let token = entry
        .as_ref()
        .and_then(|entry| entry.token_for(None, now))
        .map(|cached| cached.token.as_of(now))
        .filter(|token| token.is_fresh(now, min_ttl) && !case.context.options.refresh);
    let Some(token) = token else {
        findings.push(Finding::skipped(NAME, "not asked: no client secret"));
        return None;
    };
    let left = show(token.time_left(now));
    let what = format!("cached, {left} left; without the client secret it is the last");
    findings.push(Finding::ok(NAME, what));
    Some(Found {
        token,
        is_new: false,
    })
}

/// The authentication method that the endpoint accepts, if known.
fn form(case: &Case<'_>, found: Option<Form>) -> Finding {
    const NAME: &str = "form";
    let remembered = || {
        let entry = case.session.slot(case.profile)?.read();
        Form::parse(&entry.auth_method?)
    };
    let (form, why) = match case.profile.client.auth_method {
        AuthMethod::Fixed(form) => (Some(form), "as `auth_method` says"),
        AuthMethod::Auto => (found.or_else(remembered), "found by `auto`"),
    };
    match form {
        None => Finding::skipped(NAME, "not known: no request was made"),
        Some(Form::Query) => Finding::warning(
            NAME,
            format!("`query`, {why}: the secret is in the URL, which servers may log"),
            "see whether the server takes `auth_method = \"json\"` or `\"body\"`",
        ),
        Some(form) => Finding::ok(NAME, format!("`{}`, {why}", form.name())),
    }
}

fn scope(token: &Token) -> Finding {
    match &token.scope {
        Some(scope) => Finding::ok("scope", quote(scope)),
        None => Finding::skipped("scope", "the server does not tell it"),
    }
}

/// Makes an authorised API call. Its prerequisites have been checked, so a failure is the API's.
fn call(case: &Case<'_>, found: &Found, findings: &mut Vec<Finding>) {
    const NAME: &str = "api";
    let Some(base) = &case.profile.base_url else {
        findings.push(Finding::skipped(NAME, "the profile has no `base_url`"));
        return;
    };
    let url = base.join(API_PATH);
    let http = match connection_check::http(case, &url) {
        Ok(http) => http,
        Err(error) => {
            let error = ObtainError::SetUp(error);
            let told = explain(&error, case.profile, case.context.clock.now());
            findings.push(Finding::of_error(NAME, code_of(&error), told));
            return;
        }
    };
    case.say(&format!("asking {}", url.origin()));
    let token = &found.token.access_token;
    match get(&http, &url, Some(token), case.context.clock, case.deadline) {
        Ok(seen) => {
            findings.push(judge(&url, found, &seen));
            findings.push(rate_limit(&seen));
        }
        Err(failure) => {
            let fix = "check the network, the proxy and the profile's `base_url`";
            findings.push(connection_check::failed(NAME, failure.message(), fix));
        }
    }
}

fn judge(url: &Uri, found: &Found, seen: &ApiResponse) -> Finding {
    const NAME: &str = "api";
    let status = seen.status;
    let told = seen.error_text(&found.token.access_token);
    let said = told.map(|told| format!(", \"{told}\"")).unwrap_or_default();
    let failed = |code: Code, what: &str, fix: &str| {
        let what = format!("{what} ({status}{said})");
        Finding::failed(NAME, code, what, Some(fix.to_owned()))
    };
    match status {
        200..=299 => Finding::ok(NAME, format!("{url} answers {status}")),
        401 if found.is_new => failed(
            Code::Refused,
            &format!("{url} refuses a token that is new"),
            "check `base_url` and `token_url`: they must belong together",
        ),
        401 => failed(
            Code::Refused,
            &format!("{url} refuses the cached token"),
            "it may have been revoked: `cloudconnexa-auth doctor --refresh` takes a new one",
        ),
        403 => failed(
            Code::Refused,
            &format!("{url} forbids the call"),
            "API access may be off (API & Logs > API > Enable API), or the credential may lack the \
             permission to read, or be for other source subnets",
        ),
        404 | 405 | 410 => failed(
            Code::NotSetUp,
            &format!("there is nothing at {url}"),
            "check `cloud_id` or `base_url`: the API's paths begin there",
        ),
        429 => failed(
            Code::RateLimited,
            &format!("{url} is rate limiting this credential"),
            &format!(
                "{}; the limit is per credential, so give each team its own",
                wait_hint(seen)
            ),
        ),
        300..=399 => {
            let target = seen.location.as_deref().unwrap_or_default();
            let target = target.split('?').next().unwrap_or_default();
            let target = redact(target, &[found.token.access_token.expose()]);
            failed(
                Code::Unavailable,
                &format!("{url} redirects to `{}`", quote(&target)),
                "check `cloud_id` or `base_url`; a token is never sent on",
            )
        }
        _ => failed(
            Code::Unavailable,
            &format!("{url} gives no answer to use"),
            "try again; if it stays so, ask those who run the server",
        ),
    }
}

/// A hint that states how long to wait after a 429.
fn wait_hint(seen: &ApiResponse) -> String {
    match seen.pause {
        Some(pause) => format!("wait {}", show(pause)),
        None => "wait 15s, the vendor's usual interval".to_owned(),
    }
}

fn rate_limit(seen: &ApiResponse) -> Finding {
    const NAME: &str = "rate_limit";
    let number = |text: &Option<String>| text.as_deref()?.trim().parse::<u64>().ok();
    let Some(left) = number(&seen.requests_left) else {
        return Finding::skipped(NAME, "the API does not tell it");
    };
    let next = match seen.next_request_in {
        Some(interval) => format!("; one more every {}", show(interval)),
        None => String::new(),
    };
    let plural = if left == 1 { "" } else { "s" };
    let what = format!("{left} request{plural} left{next}");
    if left == 0 {
        let fix = "wait, or give each team or fleet a credential of its own";
        return Finding::warning(NAME, what, fix);
    }
    Finding::ok(NAME, what)
}

/// A profile's endpoint with a secret that was read before, because reading it may have prompted
/// the user. It records whether a request was sent, and its authentication method.
struct Attentive<'a> {
    inner: ProfileEndpoint<'a>,
    secret: Secret,
    was_asked: Cell<bool>,
    form: RefCell<Option<Form>>,
}

impl Endpoint for Attentive<'_> {
    fn cheap_secret(&self) -> Option<Secret> {
        self.inner.cheap_secret()
    }

    fn secret(&self, _: &dyn Clock, _: Deadline) -> Result<Secret, SourceError> {
        Ok(self.secret.clone())
    }

    fn exchange(
        &self,
        secret: &Secret,
        remembered: Option<Form>,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<TokenGrant, ObtainError> {
        self.was_asked.set(true);
        let granted = self.inner.exchange(secret, remembered, clock, deadline)?;
        self.form.replace(granted.form);
        Ok(granted)
    }

    fn auth_method(&self) -> &str {
        self.inner.auth_method()
    }

    fn is_secret_costly(&self) -> bool {
        self.inner.is_secret_costly()
    }

    fn tell(&self, failure: &ExchangeError) -> Diagnostic {
        self.inner.tell(failure)
    }

    fn tell_missing(&self, error: &SourceError) -> Diagnostic {
        self.inner.tell_missing(error)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::super::finding::State;
    use super::{ApiResponse, Code, Found, Token, Uri, judge};
    use crate::types::token::AccessToken;

    const TOKEN: &str = "t0ken-of-a-test";

    fn judged(status: u16, is_new: bool, body: &str) -> (State, String) {
        let now = OffsetDateTime::UNIX_EPOCH;
        let token = Token {
            access_token: AccessToken::parse(TOKEN.to_owned()).unwrap(),
            scope: None,
            requested_at: now,
            obtained_at: now,
            expires_at: now + Duration::from_secs(3600),
        };
        let seen = ApiResponse {
            status,
            date: None,
            requests_left: None,
            next_request_in: None,
            pause: None,
            encoding: None,
            location: Some(format!("https://login.test/{TOKEN}?token={TOKEN}")),
            body: body.as_bytes().to_vec().into(),
        };
        let url = Uri::parse("https://acme.test/api/v1/networks").unwrap();
        let found = judge(&url, &Found { token, is_new }, &seen);
        let text = format!("{} {}", found.what, found.fix.unwrap_or_default());
        (found.state, text)
    }

    #[test]
    fn each_answer_of_the_api_is_told_apart_with_what_to_do() {
        for (status, is_new, state, words) in [
            (200, true, State::Ok, "answers 200"),
            (204, true, State::Ok, "answers 204"),
            (
                401,
                true,
                State::Failed(Code::Refused),
                "must belong together",
            ),
            (401, false, State::Failed(Code::Refused), "doctor --refresh"),
            (403, true, State::Failed(Code::Refused), "Enable API"),
            (404, true, State::Failed(Code::NotSetUp), "`base_url`"),
            (429, true, State::Failed(Code::RateLimited), "wait 15s"),
            (
                302,
                true,
                State::Failed(Code::Unavailable),
                "`https://login.test/[redacted]`",
            ),
            (500, true, State::Failed(Code::Unavailable), "try again"),
            (
                418,
                true,
                State::Failed(Code::Unavailable),
                "no answer to use",
            ),
        ] {
            let (found, text) = judged(status, is_new, "");
            assert_eq!(found, state, "{status}: {text}");
            assert!(text.contains(words), "{status}: {text}");
            assert!(!text.contains(TOKEN), "{status}: {text}");
        }
    }

    #[test]
    fn what_the_api_says_is_quoted_without_the_token() {
        for (body, shown) in [
            (
                r#"{"message":"no\u001b[31m way"}"#,
                "(403, \"no [31m way\")",
            ),
            ("<html>login</html>", "(403, \"an HTML page\")"),
            ("t0ken-of-a-test is bad", "(403, \"[redacted] is bad\")"),
            ("", "(403)"),
        ] {
            let (_, text) = judged(403, true, body);
            assert!(text.contains(shown), "{body}: {text}");
        }
    }
}
