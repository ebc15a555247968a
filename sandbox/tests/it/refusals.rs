//! Why a right-looking request gets no token.

use std::time::Duration;

use cloudconnexa_sandbox::{Credential, CredentialSpec, Form, Lifetime, Sandbox};

use crate::client::{FORM, Reply, TOKEN, ask, basic, basic_token, http, networks, token};

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, error: &str, description: &str) {
    assert_eq!(
        reply.error(),
        (status, error.to_owned(), description.to_owned()),
        "our reading of the vendor"
    );
}

#[test]
fn a_wrong_secret_and_an_unknown_id_get_the_same_answer() {
    let sandbox = http();
    let right = sandbox.credential();
    let wrong_secret = Credential {
        client_secret: "wrong".to_owned(),
        ..right.clone()
    };
    let wrong_id = Credential {
        client_id: "nobody.sandbox".to_owned(),
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
fn a_valid_credential_gets_nothing_while_the_api_is_off() {
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
        "the switch also stops tokens handed out before"
    );
}

#[test]
fn a_source_outside_the_allowed_subnets_is_told_its_address() {
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
        "the API looks at the source as well"
    );

    let inside = Sandbox::builder()
        .http()
        .credential(only("127.0.0.0/8"))
        .start();
    assert_eq!(
        networks(&inside, &basic_token(&inside).token()).status,
        200,
        "inside it works"
    );
}

#[test]
fn an_expired_credential_is_refused_by_date_by_time_and_by_hand() {
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
    assert_eq!(
        basic_token(&sandbox).status,
        200,
        "it works on its first day"
    );
    sandbox.advance(Duration::from_secs(14 * 24 * 60 * 60));
    assert_refused(&basic_token(&sandbox), 401, "invalid_client", expired);

    let sandbox = http();
    sandbox.expire(&sandbox.credential().client_id);
    assert_refused(&basic_token(&sandbox), 401, "invalid_client", expired);
}

#[test]
fn another_grant_type_is_unsupported_and_none_is_an_invalid_request() {
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
fn a_rotated_secret_replaces_the_old_one_and_spares_tokens() {
    let sandbox = http();
    let old = sandbox.credential();
    let kept = basic_token(&sandbox).token();
    let new = sandbox.rotate_secret(&old.client_id);
    assert_eq!(new.client_secret.len(), 64, "as long as the first one");
    assert_eq!(
        token(&sandbox, Form::Basic, &old).status,
        401,
        "the old secret is dead"
    );
    assert_eq!(
        token(&sandbox, Form::Basic, &new).status,
        200,
        "the new one works"
    );
    assert_eq!(
        networks(&sandbox, &kept).status,
        200,
        "a token handed out before lives on"
    );
}

#[test]
fn a_revoked_credential_takes_its_tokens_along() {
    let sandbox = http();
    let other = sandbox.add_credential(CredentialSpec::default());
    let token_of_other = token(&sandbox, Form::Basic, &other).token();
    let kept = basic_token(&sandbox).token();
    sandbox.revoke(&other.client_id);
    assert_eq!(
        token(&sandbox, Form::Basic, &other).status,
        401,
        "the credential is unknown now"
    );
    assert_eq!(
        networks(&sandbox, &token_of_other).status,
        401,
        "and so is its token"
    );
    assert_eq!(
        networks(&sandbox, &kept).status,
        200,
        "the other credential is untouched"
    );
}
