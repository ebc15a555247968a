//! Access to the API: tokens, permissions, unknown paths.

use std::time::Duration;

use cloudconnexa_sandbox::{ApiResource, CredentialSpec, Permission, Sandbox};
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
    assert_eq!(reply.json()["statusError"], "Unauthorized", "{why}");
}

/// A sandbox whose credential has only this permission.
fn with_permission(permission: Permission) -> Sandbox {
    let spec = CredentialSpec {
        permissions: vec![permission],
        ..CredentialSpec::default()
    };
    Sandbox::builder().http().credential(spec).start()
}

#[test]
fn token_gives_access_to_the_api() {
    let sandbox = http();
    let reply = networks(&sandbox, &basic_token(&sandbox).token());
    assert_eq!(reply.status, 200, "a new token");
    assert_eq!(reply.json()["content"][0]["name"], "office", "sample data");
}

#[test]
fn missing_and_unknown_tokens_are_refused() {
    let sandbox = http();
    let without = ask(&sandbox, "GET", "/api/v1/networks", &[], "");
    assert_token_refused(&without, "no token");
    assert_token_refused(
        &networks(&sandbox, "made-up"),
        "a token that was not issued",
    );
}

#[test]
fn token_is_valid_for_exactly_its_lifetime() {
    let sandbox = Sandbox::builder()
        .http()
        .token_lifetime(Duration::from_secs(600))
        .start();
    let token = basic_token(&sandbox).token();
    sandbox.advance(Duration::from_secs(540));
    assert_eq!(networks(&sandbox, &token).status, 200, "a minute is left");
    sandbox.advance(Duration::from_secs(60));
    assert_token_refused(&networks(&sandbox, &token), "after ten minutes");
}

#[test]
fn revoked_token_is_refused_and_a_new_one_works() {
    let sandbox = http();
    let token = basic_token(&sandbox).token();
    sandbox.revoke_tokens(&sandbox.credential().client_id);
    assert_token_refused(&networks(&sandbox, &token), "revoked");
    let token = basic_token(&sandbox).token();
    assert_eq!(
        networks(&sandbox, &token).status,
        200,
        "the credential is valid"
    );
}

#[test]
fn read_and_write_need_their_permissions() {
    let cases = [
        (Permission::Read, "read", [200, 200, 403, 403, 403]),
        // Writing without a body or an ID passes the permission check and fails later.
        (Permission::Write, "write", [403, 403, 400, 405, 405]),
    ];
    for (permission, scope, expected) in cases {
        let sandbox = with_permission(permission);
        let reply = basic_token(&sandbox);
        assert_eq!(reply.json()["scope"], scope, "scope lists the permissions");
        let token = reply.token();
        for (method, status) in ["GET", "HEAD", "POST", "PUT", "DELETE"]
            .iter()
            .zip(expected)
        {
            let reply = call(&sandbox, &token, method, "/api/v1/networks");
            assert_eq!(reply.status, status, "{method} with {scope} only");
        }
    }
}

#[test]
fn error_body_has_the_vendors_shape() {
    let sandbox = with_permission(Permission::Read);
    let token = basic_token(&sandbox).token();
    let reply = call(&sandbox, &token, "POST", "/api/v1/networks");
    let expected = json!({
        "errorMessage": "The credentials have no write permission",
        "statusError": "Forbidden",
    });
    assert_eq!(reply.json(), expected, "ErrorResponse of the reference");
}

#[test]
fn limited_credential_gets_403_on_other_resources() {
    let spec = CredentialSpec {
        resources: vec![ApiResource::Users, ApiResource::DnsRecords],
        ..CredentialSpec::default()
    };
    let sandbox = Sandbox::builder().http().credential(spec).start();
    let token = basic_token(&sandbox).token();
    for (path, status) in [
        ("/api/v1/users", 200),
        ("/api/v1/dns-records", 200),
        ("/api/v1/networks", 403),
        ("/api/v1/networks/connectors", 403),
        ("/api/v1/regions", 403),
        ("/api/v1/unknown", 404),
    ] {
        assert_eq!(call(&sandbox, &token, "GET", path).status, status, "{path}");
    }
}

#[test]
fn unknown_paths_are_404() {
    let sandbox = http();
    let token = basic_token(&sandbox).token();
    for path in [
        "/",
        "/api/v2/networks",
        "/api/v1/oauth/other",
        "/api/beta/networks",
        "/api/v1/network",
        "/api/v1/regions/us-west-1",
        "/api/v1/users/7f3a0c1e-0002-4000-8000-000000000001/unknown",
    ] {
        let reply = call(&sandbox, &token, "GET", path);
        assert_eq!(
            (reply.status, &reply.json()["statusError"]),
            (404, &json!("Not Found")),
            "{path}"
        );
    }
}
