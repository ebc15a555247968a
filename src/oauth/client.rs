//! One exchange: selects the form, follows redirects and selects the result.

use super::error::{ExchangeError, InvalidResponse, Refusal};
use super::http::{Http, Reply};
use super::request::{Form, compose};
use super::response::{self, ApiResponse, ResponseTiming};
use super::{AuthMethod, Client};
use crate::system::clock::{Clock, Deadline};
use crate::types::quote::quote;
use crate::types::secret::Secret;
use crate::types::token::{AccessToken, Token};
use crate::types::uri::Uri;

/// The maximum number of redirects that are followed within the origin.
const MOST_REDIRECTS: usize = 3;

/// A token, and the form of request to use from now on.
#[derive(Debug)]
pub(crate) struct TokenGrant {
    pub(crate) token: Token,
    /// The form that worked with [`AuthMethod::Auto`]. `None` for a fixed form, which does not
    /// apply to other callers.
    pub(crate) form: Option<Form>,
}

/// Requests a token once.
///
/// With [`AuthMethod::Auto`] the `remembered` form is sent first, or `basic` if there is none. If
/// the server answers 400, 401 or 415, the other form is sent once, unless `basic` was remembered.
pub(crate) fn exchange(
    http: &Http<'_>,
    client: &Client,
    secret: &Secret,
    remembered: Option<Form>,
    clock: &dyn Clock,
    deadline: Deadline,
) -> Result<TokenGrant, ExchangeError> {
    let attempt = |form| {
        let token = ask(http, client, secret, form, clock, deadline)?;
        let form = Some(form).filter(|_| client.auth_method == AuthMethod::Auto);
        Ok(TokenGrant { token, form })
    };
    let (first, other) = match (client.auth_method, remembered) {
        (AuthMethod::Fixed(form), _) => return attempt(form),
        (AuthMethod::Auto, None) => (Form::Basic, client.fallback),
        // The server is known to accept `basic`. After a refusal the secret is not sent in a URL.
        (AuthMethod::Auto, Some(Form::Basic)) => return attempt(Form::Basic),
        (AuthMethod::Auto, Some(form)) => (form, Form::Basic),
    };
    match attempt(first) {
        Err(
            refusal @ ExchangeError::Refused {
                status: 400 | 401 | 415,
                ..
            },
        ) => attempt(other).map_err(|second| more_telling(refusal, second)),
        answer => answer,
    }
}

/// Sends a GET to `url`, which is of the client's origin, with the token if there is one.
pub(crate) fn get(
    http: &Http<'_>,
    url: &Uri,
    token: Option<&AccessToken>,
    clock: &dyn Clock,
    deadline: Deadline,
) -> Result<ApiResponse, ExchangeError> {
    let reply = http.get(url, token, clock, deadline)?;
    Ok(ApiResponse::of(reply, clock.now()))
}

/// Selects the refusal that says more about the fix. A server that supports only one of the two
/// forms refuses the other one because of its form.
fn more_telling(first: ExchangeError, second: ExchangeError) -> ExchangeError {
    let ExchangeError::Refused {
        refusal: told_first,
        ..
    } = &first
    else {
        return second;
    };
    let ExchangeError::Refused {
        refusal: told_second,
        ..
    } = &second
    else {
        return second;
    };
    let is_about_form = |refusal: &Refusal| *refusal == Refusal::Request;
    let is_specific = |refusal: &Refusal| {
        !matches!(
            refusal,
            Refusal::Credentials | Refusal::Request | Refusal::Forbidden
        )
    };
    let second_wins = (is_about_form(told_first) && !is_about_form(told_second))
        || (is_specific(told_second) && !is_specific(told_first));
    if second_wins { second } else { first }
}

fn ask(
    http: &Http<'_>,
    client: &Client,
    secret: &Secret,
    form: Form,
    clock: &dyn Clock,
    deadline: Deadline,
) -> Result<Token, ExchangeError> {
    let mut url = client.token_url.clone();
    for _ in 0..=MOST_REDIRECTS {
        let sent_at = clock.now();
        let request = compose(&url, client, secret, form);
        let reply = http.send(&request, clock, deadline)?;
        let Some(target) = redirect(&url, &reply)? else {
            let timing = ResponseTiming {
                sent_at,
                arrived_at: clock.now(),
            };
            return response::read(&reply.answer, timing, &request);
        };
        url = target;
    }
    Err(ExchangeError::InvalidResponse(
        InvalidResponse::TooManyRedirects(MOST_REDIRECTS),
    ))
}

/// Returns the URL to which the same request is sent again, if the reply is a redirect. Another
/// origin is an error: a credential is only sent to the origin that it was configured for.
fn redirect(from: &Uri, reply: &Reply) -> Result<Option<Uri>, ExchangeError> {
    let (status, location) = (reply.answer.status, reply.location.as_deref());
    if !(300..400).contains(&status) {
        return Ok(None);
    }
    let invalid = match (status, location) {
        (301 | 302 | 307 | 308, Some(location)) => match from.resolve(location) {
            Ok(target) if target.origin() == from.origin() => return Ok(Some(target)),
            Ok(target) => InvalidResponse::RedirectOrigin(target.origin().to_string()),
            Err(error) => InvalidResponse::RedirectTarget {
                location: quote(location.split('?').next().unwrap_or_default()),
                error,
            },
        },
        _ => InvalidResponse::RedirectStatus(status),
    };
    Err(ExchangeError::InvalidResponse(invalid))
}

#[cfg(test)]
mod tests {
    use super::super::http::Answer;
    use super::{ExchangeError, Refusal, Reply, Uri, more_telling, redirect};

    fn led(status: u16, location: Option<&str>) -> Result<Option<String>, ExchangeError> {
        let from = Uri::parse("https://acme.test/api/token").unwrap();
        let reply = Reply {
            answer: Answer {
                status,
                retry_after: None,
                replenish_time: None,
                replenish_rate: None,
                date: None,
                encoding: None,
                body: zeroize::Zeroizing::default(),
            },
            location: location.map(str::to_owned),
            requests_left: None,
        };
        redirect(&from, &reply).map(|target| target.map(|target| target.to_string()))
    }

    fn shown(failure: &ExchangeError) -> String {
        format!("{:?}", failure.message())
    }

    #[test]
    fn an_answer_that_is_no_redirect_is_read_whatever_location_it_names() {
        for status in [200, 201, 299, 400, 401, 429, 503] {
            assert_eq!(led(status, Some("/elsewhere")).unwrap(), None, "{status}");
        }
    }

    #[test]
    fn a_redirect_is_followed_within_the_origin_only() {
        for location in [
            "/other",
            "https://acme.test/other",
            "https://ACME.test:443/other",
            "//acme.test/other",
        ] {
            for status in [301, 302, 307, 308] {
                let target = led(status, Some(location)).unwrap();
                let expected = Some("https://acme.test/other");
                assert_eq!(target.as_deref(), expected, "{status} {location}");
            }
        }
        for (location, named) in [
            ("https://evil.test/x?a=b", "https://evil.test, another"),
            ("https://acme.test:8443/", "https://acme.test:8443, another"),
            ("https://api.acme.test/", "https://api.acme.test, another"),
            ("//evil.test/api/token", "https://evil.test, another"),
            ("http://acme.test/", "http://acme.test/"),
            ("https://acme.test@evil.test/", "acme.test@evil.test"),
        ] {
            let refused = led(307, Some(location)).unwrap_err();
            assert!(
                matches!(refused, ExchangeError::InvalidResponse(_))
                    && shown(&refused).contains(named),
                "a secret is only sent to its own origin: {refused:?}"
            );
        }
    }

    #[test]
    fn a_redirect_that_leads_nowhere_is_an_answer_without_a_token() {
        for (status, location) in [
            (300, Some("/x")),
            (303, Some("/x")),
            (304, None),
            (302, None),
        ] {
            let refused = led(status, location);
            assert!(
                matches!(refused, Err(ExchangeError::InvalidResponse(_))),
                "{status}"
            );
        }
    }

    #[test]
    fn a_location_that_repeats_the_request_does_not_make_us_print_it() {
        let refused = led(301, Some("http://acme.test/token?client_secret=s3cret"));
        assert!(!shown(&refused.unwrap_err()).contains("s3cret"));
    }

    #[test]
    fn of_two_refusals_the_one_that_says_what_to_mend_is_told() {
        use Refusal::{ApiDisabled, Credentials, Expired, Forbidden, Request, SourceAddress};
        let refused = |refusal, status| ExchangeError::Refused {
            refusal,
            status,
            error_code: None,
            server_text: None,
        };
        for (first, second, told) in [
            (Credentials, Credentials, 1),
            (Credentials, Request, 1),
            (Request, Credentials, 2),
            (Request, Forbidden, 2),
            (Request, Request, 1),
            (Credentials, Forbidden, 1),
            (Credentials, Expired, 2),
            (Credentials, ApiDisabled, 2),
            (Request, SourceAddress, 2),
            (Expired, Credentials, 1),
            (Expired, ApiDisabled, 1),
        ] {
            let chosen = more_telling(refused(first, 1), refused(second, 2));
            let expected = if told == 1 { first } else { second };
            assert!(
                matches!(
                    chosen,
                    ExchangeError::Refused { refusal, status, .. }
                        if refusal == expected && status == told
                ),
                "{chosen:?}"
            );
        }
        let limited = ExchangeError::RateLimited { pause: None };
        let chosen = more_telling(refused(Expired, 1), limited);
        let is_limit = matches!(chosen, ExchangeError::RateLimited { .. });
        assert!(is_limit, "a retry may help: {chosen:?}");
    }
}
