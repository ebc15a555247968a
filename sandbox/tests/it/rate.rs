//! The rate limit and its headers.

use std::time::Duration;

use cloudconnexa_sandbox::{CredentialSpec, Form, RateLimit, Sandbox};

use crate::client::{Reply, ask, basic_token, http, networks, token};

/// The values of the four headers.
fn limit(reply: &Reply) -> [Option<&str>; 4] {
    [
        "Burst-Capacity",
        "Remaining",
        "Replenish-Rate",
        "Replenish-Time",
    ]
    .map(|name| reply.header(&format!("X-RateLimit-{name}")))
}

#[test]
fn default_limit_is_20_then_429_with_an_empty_body() {
    let sandbox = http();
    for left in (0..20).rev() {
        let reply = basic_token(&sandbox);
        assert_eq!(reply.status, 200, "{left} remain");
        assert_eq!(
            reply.header("X-RateLimit-Remaining"),
            Some(left.to_string().as_str()),
            "one less each time"
        );
    }
    let reply = basic_token(&sandbox);
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (429, ""),
        "the vendor's 429 has no body"
    );
    assert_eq!(reply.header("Retry-After"), None, "not known to be sent");
}

#[test]
fn token_and_api_requests_share_the_limit_of_their_credential() {
    let sandbox = Sandbox::builder()
        .http()
        .rate_limit(2, Duration::from_secs(15))
        .start();
    let first = basic_token(&sandbox).token();
    assert_eq!(networks(&sandbox, &first).status, 200, "the second of two");
    assert_eq!(networks(&sandbox, &first).status, 429, "the API is limited");
    assert_eq!(basic_token(&sandbox).status, 429, "the token endpoint too");
    let other = sandbox.add_credential(CredentialSpec::default());
    assert_eq!(
        token(&sandbox, Form::Basic, &other).status,
        200,
        "another credential has its own limit"
    );
}

#[test]
fn replenish_headers_are_constants() {
    let sandbox = Sandbox::builder()
        .http()
        .rate_limit(1, Duration::from_secs(15))
        .start();
    for (seconds, status) in [(0, 200), (1, 429), (13, 429), (1, 200), (0, 429)] {
        sandbox.advance(Duration::from_secs(seconds));
        let reply = basic_token(&sandbox);
        assert_eq!(reply.status, status, "{seconds} s later");
        assert_eq!(
            limit(&reply),
            [Some("1"), Some("0"), Some("1"), Some("15")],
            "the period, not the remaining time"
        );
    }
}

#[test]
fn one_request_becomes_free_every_time_divided_by_rate() {
    let limit = RateLimit {
        burst: 1,
        replenish_rate: 20,
        replenish_time: Duration::from_secs(60),
    };
    let sandbox = Sandbox::builder().http().rate_limit_of(limit).start();
    for (seconds, status) in [(0, 200), (2, 429), (1, 200), (0, 429), (3, 200)] {
        sandbox.advance(Duration::from_secs(seconds));
        assert_eq!(basic_token(&sandbox).status, status, "{seconds} s later");
    }
}

#[test]
fn refusals_have_the_headers_too() {
    let sandbox = http();
    sandbox.enable_api(false);
    assert_eq!(
        limit(&basic_token(&sandbox)),
        [Some("20"), Some("19"), Some("1"), Some("15")],
        "a refusal counts as a request"
    );
    let without_token = ask(&sandbox, "GET", "/api/v1/networks", &[], "");
    assert_eq!(
        limit(&without_token),
        [Some("20"), Some("20"), Some("1"), Some("15")],
        "an unused limit"
    );
}

#[test]
fn disabled_limit_has_no_headers() {
    let sandbox = Sandbox::builder().http().no_rate_limit().start();
    for _ in 0..25 {
        let reply = basic_token(&sandbox);
        assert_eq!(
            (reply.status, limit(&reply)),
            (200, [None; 4]),
            "no limit and no headers"
        );
    }
}

#[test]
fn idle_time_adds_no_more_than_the_burst() {
    let sandbox = Sandbox::builder()
        .http()
        .rate_limit(1, Duration::from_secs(15))
        .start();
    sandbox.advance(Duration::from_secs(3600));
    assert_eq!(basic_token(&sandbox).status, 200, "the burst of one");
    assert_eq!(basic_token(&sandbox).status, 429, "not more after an hour");
}
