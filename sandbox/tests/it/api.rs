//! The protected resource: it really looks at the token.

use std::time::Duration;

use cloudconnexa_sandbox::{CredentialSpec, Permission, Sandbox};
use serde_json::json;

use crate::client::{Reply, ask, basic_token, call, http, networks};

#[track_caller]
fn assert_token_refused(reply: &Reply, why: &str) {
    let challenge = reply.header("WWW-Authenticate");
    assert_eq!(
        (reply.status, challenge),
        (401, Some(r#"Bearer error="invalid_token""#)),
        "{why}"
    );
}

#[test]
fn a_token_opens_the_api() {
    let sandbox = http();
    let token = basic_token(&sandbox).token();
    let reply = networks(&sandbox, &token);
    assert_eq!(reply.status, 200, "a fresh token");
    assert_eq!(reply.json()[0]["name"], "office", "a small list to look at");
    let reply = call(&sandbox, &token, "DELETE", "/api/v1/users/7");
    assert_eq!(
        reply.json(),
        json!({ "path": "/api/v1/users/7", "method": "DELETE" }),
        "all else is an echo"
    );
}

#[test]
fn no_token_and_a_made_up_token_are_refused() {
    let sandbox = http();
    assert_token_refused(
        &ask(&sandbox, "GET", "/api/v1/networks", &[], ""),
        "no token at all",
    );
    assert_token_refused(
        &networks(&sandbox, "made-up"),
        "a token that was never handed out",
    );
}

#[test]
fn a_token_dies_with_its_lifetime_and_not_before() {
    let sandbox = Sandbox::builder()
        .http()
        .token_lifetime(Duration::from_secs(600))
        .start();
    let token = basic_token(&sandbox).token();
    sandbox.advance(Duration::from_secs(540));
    assert_eq!(networks(&sandbox, &token).status, 200, "a minute is left");
    sandbox.advance(Duration::from_secs(60));
    assert_token_refused(&networks(&sandbox, &token), "the ten minutes are over");
}

#[test]
fn revoked_tokens_are_refused_and_a_new_one_works() {
    let sandbox = http();
    let token = basic_token(&sandbox).token();
    sandbox.revoke_tokens(&sandbox.credential().client_id);
    assert_token_refused(&networks(&sandbox, &token), "taken away by hand");
    assert_eq!(
        networks(&sandbox, &basic_token(&sandbox).token()).status,
        200,
        "the credential still works"
    );
}

#[test]
fn read_and_write_need_their_permissions() {
    let cases = [
        (Permission::Read, "read", 200, 403),
        (Permission::Write, "write", 403, 200),
    ];
    for (permission, scope, get, post) in cases {
        let spec = CredentialSpec {
            permissions: vec![permission],
            ..CredentialSpec::default()
        };
        let sandbox = Sandbox::builder().http().credential(spec).start();
        let reply = basic_token(&sandbox);
        assert_eq!(
            reply.json()["scope"],
            scope,
            "the scope tells the permissions"
        );
        let token = reply.token();
        for (method, status) in [
            ("GET", get),
            ("HEAD", get),
            ("POST", post),
            ("PUT", post),
            ("DELETE", post),
        ] {
            let reply = call(&sandbox, &token, method, "/api/v1/networks");
            assert_eq!(reply.status, status, "{method} with {scope} only");
        }
    }
}

#[test]
fn a_missing_permission_is_told_in_a_code_and_a_sentence() {
    let spec = CredentialSpec {
        permissions: vec![Permission::Read],
        ..CredentialSpec::default()
    };
    let sandbox = Sandbox::builder().http().credential(spec).start();
    let reply = call(
        &sandbox,
        &basic_token(&sandbox).token(),
        "POST",
        "/api/v1/networks",
    );
    let expected =
        json!({ "errorCode": "FORBIDDEN", "message": "The credentials have no write permission" });
    assert_eq!(reply.json(), expected, "for programs and for people");
}

#[test]
fn other_paths_are_not_found() {
    let sandbox = http();
    for path in [
        "/",
        "/api/v2/networks",
        "/api/v1/oauth/other",
        "/api/beta/networks",
    ] {
        assert_eq!(
            ask(&sandbox, "GET", path, &[], "").status,
            404,
            "{path} is nothing"
        );
    }
}
