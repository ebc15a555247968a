//! The rate limit and its headers.

use std::time::Duration;

use cloudconnexa_sandbox::{CredentialSpec, Form, Sandbox};

use crate::client::{Reply, ask, basic_token, http, networks, token};

fn limit(reply: &Reply) -> [Option<&str>; 3] {
    ["Remaining", "Replenish-Rate", "Replenish-Time"]
        .map(|name| reply.header(&format!("X-RateLimit-{name}")))
}

#[test]
fn the_default_is_twenty_at_once_and_then_429_with_an_empty_body() {
    let sandbox = http();
    for left in (0..20).rev() {
        let reply = basic_token(&sandbox);
        assert_eq!(reply.status, 200, "{left} are left");
        assert_eq!(
            reply.header("X-RateLimit-Remaining"),
            Some(left.to_string().as_str()),
            "counted down"
        );
    }
    let reply = basic_token(&sandbox);
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (429, ""),
        "the vendor's 429 may have no body"
    );
    assert_eq!(reply.header("Retry-After"), None, "not known to be sent");
}

#[test]
fn token_and_api_requests_draw_on_one_limit_per_credential() {
    let sandbox = Sandbox::builder()
        .http()
        .rate_limit(2, Duration::from_secs(15))
        .start();
    let first = basic_token(&sandbox).token();
    assert_eq!(networks(&sandbox, &first).status, 200, "the second of two");
    assert_eq!(networks(&sandbox, &first).status, 429, "the API is limited");
    assert_eq!(
        basic_token(&sandbox).status,
        429,
        "and so is the token endpoint"
    );
    let other = sandbox.add_credential(CredentialSpec::default());
    assert_eq!(
        token(&sandbox, Form::Basic, &other).status,
        200,
        "another credential has its own"
    );
}

#[test]
fn waiting_as_long_as_the_header_says_is_enough_for_one_request() {
    let sandbox = Sandbox::builder()
        .http()
        .rate_limit(1, Duration::from_secs(15))
        .start();
    assert_eq!(basic_token(&sandbox).status, 200, "the burst of one");
    let reply = basic_token(&sandbox);
    let [left, rate, wait] = limit(&reply);
    assert_eq!(
        (left, rate),
        (Some("0"), Some("1")),
        "nothing is left, one comes at a time"
    );
    let wait = wait.and_then(|it| it.parse().ok()).expect("whole seconds");
    sandbox.advance(Duration::from_secs(wait));
    assert_eq!(basic_token(&sandbox).status, 200, "one was added");
    assert_eq!(basic_token(&sandbox).status, 429, "and only one");
}

#[test]
fn refusals_and_unknown_callers_are_told_the_limit_too() {
    let sandbox = http();
    sandbox.enable_api(false);
    assert_eq!(
        limit(&basic_token(&sandbox)),
        [Some("19"), Some("1"), Some("15")],
        "a refusal costs one"
    );
    let nobody = ask(&sandbox, "GET", "/api/v1/networks", &[], "");
    assert_eq!(
        limit(&nobody),
        [Some("20"), Some("1"), Some("15")],
        "nobody has a full limit"
    );
}

#[test]
fn a_limit_that_is_off_sends_no_headers() {
    let sandbox = Sandbox::builder().http().no_rate_limit().start();
    for _ in 0..25 {
        let reply = basic_token(&sandbox);
        assert_eq!(
            (reply.status, limit(&reply)),
            (200, [None; 3]),
            "no limit, no headers"
        );
    }
}

#[test]
fn an_idle_hour_saves_up_no_more_than_the_burst() {
    let sandbox = Sandbox::builder()
        .http()
        .rate_limit(1, Duration::from_secs(15))
        .start();
    sandbox.advance(Duration::from_secs(3600));
    assert_eq!(basic_token(&sandbox).status, 200, "the burst of one");
    assert_eq!(
        basic_token(&sandbox).status,
        429,
        "a full bucket does not replenish"
    );
}
