//! Refused token requests and their reasons.

use std::time::Duration;

use cloudconnexa_sandbox::{Credential, CredentialSpec, Form, Lifetime, Sandbox};

use crate::client::{FORM, Reply, TOKEN, ask, basic, basic_token, http, networks, token};

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, error: &str, description: &str) {
    assert_eq!(
        reply.error(),
        (status, error.to_owned(), description.to_owned()),
        "status, code and text"
    );
}

#[test]
fn wrong_secret_and_unknown_id_get_the_same_response() {
    let sandbox = http();
    let right = sandbox.credential();
    let wrong_secret = Credential {
        client_secret: "wrong".to_owned(),
        ..right.clone()
    };
    let wrong_id = Credential {
        client_id: "unknown.sandbox".to_owned(),
        ..right
    };
    for form in Form::ALL {
        for credential in [&wrong_secret, &wrong_id] {
            let reply = token(&sandbox, form, credential);
            assert_refused(&reply, 401, "invalid_client", "Bad client credentials");
        }
    }
    let reply = token(&sandbox, Form::Basic, &wrong_secret);
    assert!(
        reply
            .header("WWW-Authenticate")
            .is_some_and(|it| it.starts_with("Basic ")),
        "RFC 6749 §5.2"
    );
}

#[test]
fn disabled_api_refuses_a_valid_credential() {
    let sandbox = Sandbox::builder().http().api_enabled(false).start();
    assert_refused(
        &basic_token(&sandbox),
        403,
        "access_denied",
        "API access is disabled",
    );
    sandbox.enable_api(true);
    let token = basic_token(&sandbox).token();
    sandbox.enable_api(false);
    assert_eq!(
        networks(&sandbox, &token).status,
        403,
        "tokens issued earlier are refused too"
    );
}

#[test]
fn source_outside_the_allowed_subnets_is_refused() {
    let only = |subnet: &str| CredentialSpec {
        allowed_subnets: vec![subnet.parse().expect("a subnet")],
        ..CredentialSpec::default()
    };
    let sandbox = Sandbox::builder()
        .http()
        .credential(only("10.0.0.0/8"))
        .start();
    let reply = basic_token(&sandbox);
    assert_refused(
        &reply,
        403,
        "access_denied",
        "Source address 127.0.0.1 is not allowed",
    );
    let token = sandbox.issue_token(&sandbox.credential().client_id);
    assert_eq!(
        networks(&sandbox, &token).status,
        403,
        "the API checks the source too"
    );

    let inside = Sandbox::builder()
        .http()
        .credential(only("127.0.0.0/8"))
        .start();
    assert_eq!(
        networks(&inside, &basic_token(&inside).token()).status,
        200,
        "a source inside is accepted"
    );
}

#[test]
fn expired_credential_is_refused() {
    let expired = "Client credentials have expired";
    let past = time::macros::date!(2020 - 01 - 01);
    let spec = CredentialSpec {
        lifetime: Lifetime::Until(past),
        ..CredentialSpec::default()
    };
    let sandbox = Sandbox::builder().http().credential(spec).start();
    assert_refused(&basic_token(&sandbox), 401, "invalid_client", expired);

    let spec = CredentialSpec {
        lifetime: Lifetime::TwoWeeks,
        ..CredentialSpec::default()
    };
    let sandbox = Sandbox::builder().http().credential(spec).start();
    assert_eq!(basic_token(&sandbox).status, 200, "valid on its first day");
    sandbox.advance(Duration::from_secs(14 * 24 * 60 * 60));
    assert_refused(&basic_token(&sandbox), 401, "invalid_client", expired);

    let sandbox = http();
    sandbox.expire(&sandbox.credential().client_id);
    assert_refused(&basic_token(&sandbox), 401, "invalid_client", expired);
}

#[test]
fn other_and_missing_grant_types_are_refused() {
    let sandbox = http();
    let Credential {
        client_id,
        client_secret,
        ..
    } = sandbox.credential();
    let auth = basic(&client_id, &client_secret);
    for (body, error) in [
        ("grant_type=password", "unsupported_grant_type"),
        ("x=y", "invalid_request"),
    ] {
        let reply = ask(
            &sandbox,
            "POST",
            TOKEN,
            &[("Authorization", &auth), FORM],
            body,
        );
        assert_eq!(
            (reply.status, reply.error().1.as_str()),
            (400, error),
            "{body}"
        );
    }
}

#[test]
fn rotated_secret_replaces_the_old_one() {
    let sandbox = http();
    let old = sandbox.credential();
    let kept = basic_token(&sandbox).token();
    let new = sandbox.rotate_secret(&old.client_id);
    assert_eq!(new.client_secret.len(), 64, "the length of the first one");
    assert_eq!(
        token(&sandbox, Form::Basic, &old).status,
        401,
        "the old secret is refused"
    );
    assert_eq!(
        token(&sandbox, Form::Basic, &new).status,
        200,
        "the new secret is accepted"
    );
    assert_eq!(
        networks(&sandbox, &kept).status,
        200,
        "an earlier token stays valid"
    );
}

#[test]
fn revoking_a_credential_revokes_its_tokens() {
    let sandbox = http();
    let other = sandbox.add_credential(CredentialSpec::default());
    let token_of_other = token(&sandbox, Form::Basic, &other).token();
    let kept = basic_token(&sandbox).token();
    sandbox.revoke(&other.client_id);
    assert_eq!(
        token(&sandbox, Form::Basic, &other).status,
        401,
        "the credential is unknown"
    );
    assert_eq!(
        networks(&sandbox, &token_of_other).status,
        401,
        "its token is revoked"
    );
    assert_eq!(
        networks(&sandbox, &kept).status,
        200,
        "another credential is unchanged"
    );
}
