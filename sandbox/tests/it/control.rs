//! The control interface.

use cloudconnexa_sandbox::{Form, Sandbox};
use serde_json::json;

use crate::client::{Reply, ask, basic_token, http, networks, token};

fn post(sandbox: &Sandbox, path: &str, body: &str) -> Reply {
    ask(sandbox, "POST", path, &[], body)
}

#[test]
fn record_counts_requests_without_control_requests() {
    let sandbox = http();
    let id = sandbox.credential().client_id;
    networks(&sandbox, &basic_token(&sandbox).token());
    let summary = ask(&sandbox, "GET", "/sandbox/requests", &[], "").json();
    let counts = json!({ "POST /api/v1/oauth/token": 1, "GET /api/v1/networks": 1 });
    assert_eq!(summary["by_endpoint"], counts, "per endpoint");
    assert_eq!(
        summary["by_credential"],
        json!({ id: counts }),
        "per credential"
    );
    assert_eq!(
        summary["requests"][0]["form"], "basic",
        "each with its form"
    );
    assert_eq!(
        sandbox.requests().len(),
        2,
        "control requests are not recorded"
    );
}

#[test]
fn faults_can_be_queued_set_and_removed() {
    let sandbox = http();
    let standing = r#"{"status":{"code":503,"headers":[["Retry-After","7"]],"body":"later"}}"#;
    assert_eq!(
        post(&sandbox, "/sandbox/faults?always", standing).status,
        204,
        "accepted"
    );
    assert_eq!(
        post(&sandbox, "/sandbox/faults", r#"{"body":"{}"}"#).status,
        204,
        "accepted"
    );
    assert_eq!(basic_token(&sandbox).body, "{}", "the queued one first");
    let reply = basic_token(&sandbox);
    assert_eq!(
        (reply.status, reply.header("Retry-After")),
        (503, Some("7")),
        "then the standing one"
    );
    assert_eq!(
        ask(&sandbox, "DELETE", "/sandbox/faults", &[], "").status,
        204,
        "removed"
    );
    assert_eq!(basic_token(&sandbox).status, 200, "then the real response");
}

#[test]
fn api_switch_and_clock_can_be_set() {
    let sandbox = http();
    let token = basic_token(&sandbox).token();
    post(&sandbox, "/sandbox/api", r#"{"enabled":false}"#);
    assert_eq!(networks(&sandbox, &token).status, 403, "off");
    post(&sandbox, "/sandbox/api", r#"{"enabled":true}"#);
    assert_eq!(networks(&sandbox, &token).status, 200, "on again");
    post(&sandbox, "/sandbox/clock", r#"{"advance_seconds":43199}"#);
    assert_eq!(networks(&sandbox, &token).status, 401, "twelve hours later");
}

#[test]
fn credentials_can_be_created_rotated_and_revoked() {
    let sandbox = http();
    let spec = r#"{"name":"ci","lifetime":"two_weeks","allowed_subnets":["127.0.0.0/8"],"permissions":["read"]}"#;
    let reply = post(&sandbox, "/sandbox/credentials", spec);
    assert_eq!(
        (reply.status, reply.json()["name"].as_str()),
        (201, Some("ci")),
        "created"
    );
    let mut created = sandbox.credential();
    created.client_id = reply.json()["client_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    created.client_secret = reply.json()["client_secret"]
        .as_str()
        .expect("a secret")
        .to_owned();
    assert_eq!(
        token(&sandbox, Form::Basic, &created).json()["scope"],
        "read",
        "with the requested permissions"
    );

    let path = format!("/sandbox/credentials/{}", created.client_id);
    let rotated = post(&sandbox, &format!("{path}/secret"), "").json();
    assert_eq!(
        token(&sandbox, Form::Basic, &created).status,
        401,
        "the old secret is refused"
    );
    created.client_secret = rotated["client_secret"]
        .as_str()
        .expect("a secret")
        .to_owned();
    assert_eq!(
        token(&sandbox, Form::Basic, &created).status,
        200,
        "the new secret is accepted"
    );

    assert_eq!(
        ask(&sandbox, "DELETE", &path, &[], "").status,
        204,
        "revoked"
    );
    assert_eq!(
        token(&sandbox, Form::Basic, &created).status,
        401,
        "it is refused"
    );
    assert_eq!(
        ask(&sandbox, "DELETE", &path, &[], "").status,
        404,
        "it does not exist"
    );
}

#[test]
fn invalid_control_request_gets_the_reason() {
    let sandbox = http();
    let cases = [
        (
            "/sandbox/faults",
            r#""explode""#,
            400,
            "unknown variant `explode`",
        ),
        (
            "/sandbox/credentials",
            r#"{"lifetime":"forever"}"#,
            400,
            "two_weeks",
        ),
        (
            "/sandbox/credentials",
            r#"{"scope":"read"}"#,
            400,
            "unknown field `scope`",
        ),
        ("/sandbox/clock", r#"{"advance_seconds":-1}"#, 400, "-1"),
        ("/sandbox/nothing", "", 404, "--help"),
    ];
    for (path, body, status, text) in cases {
        let reply = post(&sandbox, path, body);
        assert_eq!(reply.status, status, "{path} with {body}");
        assert!(
            reply.body.contains(text),
            "{path} with {body} says {text}: {}",
            reply.body
        );
    }
}
