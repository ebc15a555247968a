//! All request forms, accepted and refused.

use cloudconnexa_sandbox::{Credential, CredentialSpec, Form, Sandbox, TokenPath};

use crate::client::{FORM, GRANT, TOKEN, ask, basic, basic_token, http, token};

fn odd_credential() -> CredentialSpec {
    CredentialSpec {
        client_id: Some("odd id+1.sandbox".to_owned()),
        client_secret: Some("sec:ret/+%&= ~".to_owned()),
        ..CredentialSpec::default()
    }
}

#[test]
fn each_form_is_accepted_by_a_server_with_only_that_form() {
    for form in Form::ALL {
        let sandbox = Sandbox::builder()
            .http()
            .accept(&[form])
            .credential(odd_credential())
            .start();
        let reply = token(&sandbox, form, &sandbox.credential());
        assert_eq!(
            reply.status, 200,
            "{form}: the only accepted form: {reply:?}"
        );
        assert_eq!(
            reply.json()["token_type"],
            "bearer",
            "{form}: the vendor's spelling"
        );
        assert_eq!(
            reply.json()["expires_in"],
            43_199,
            "{form}: the vendor's 12 h"
        );
        assert_eq!(
            reply.json()["scope"],
            "read write",
            "{form}: both permissions"
        );
        assert_eq!(
            reply.header("Cache-Control"),
            Some("no-store"),
            "{form}: RFC 6749 §5.1"
        );
        assert_eq!(
            sandbox.requests()[0].form,
            Some(form),
            "{form}: recorded as this form"
        );
    }
}

#[test]
fn disabled_form_is_refused_like_an_unknown_one() {
    for form in Form::ALL {
        let others: Vec<Form> = Form::ALL.into_iter().filter(|it| *it != form).collect();
        let sandbox = Sandbox::builder()
            .http()
            .accept(&others)
            .credential(odd_credential())
            .start();
        let reply = token(&sandbox, form, &sandbox.credential());
        let expected = match form {
            Form::Basic | Form::BasicRaw => (401, "invalid_client"),
            _ => (400, "invalid_request"),
        };
        let (status, error, _) = reply.error();
        assert_eq!((status, error.as_str()), expected, "{form} is disabled");
        let challenge = reply.header("WWW-Authenticate").is_some();
        assert_eq!(
            challenge,
            status == 401,
            "{form}: 401 has a challenge, other statuses do not"
        );
    }
}

#[test]
fn unreserved_secret_is_accepted_as_basic_and_basic_raw() {
    for known in [Form::Basic, Form::BasicRaw] {
        let sandbox = Sandbox::builder().http().accept(&[known]).start();
        assert_eq!(
            basic_token(&sandbox).status,
            200,
            "both readings are the same bytes"
        );
        assert_eq!(
            sandbox.requests()[0].form,
            Some(Form::Basic),
            "they count as `basic`"
        );
    }
}

#[test]
fn ambiguous_secret_is_read_as_the_right_one() {
    let ambiguous = CredentialSpec {
        client_secret: Some("a+b%2Fc".to_owned()),
        ..CredentialSpec::default()
    };
    let sandbox = Sandbox::builder().http().credential(ambiguous).start();
    for form in [Form::Basic, Form::BasicRaw] {
        assert_eq!(
            token(&sandbox, form, &sandbox.credential()).status,
            200,
            "{form} contains the right secret"
        );
    }
    let seen: Vec<_> = sandbox.requests().iter().map(|it| it.form).collect();
    assert_eq!(
        seen,
        [Some(Form::Basic), Some(Form::BasicRaw)],
        "the plain text is also valid encoded text"
    );
}

#[test]
fn basic_with_an_empty_body_is_accepted() {
    let sandbox = http();
    let Credential {
        client_id,
        client_secret,
        ..
    } = sandbox.credential();
    let reply = ask(
        &sandbox,
        "POST",
        TOKEN,
        &[("Authorization", &basic(&client_id, &client_secret))],
        "",
    );
    assert_eq!(reply.status, 200, "a form in use");
}

#[test]
fn credentials_in_two_places_or_none_are_an_unknown_form() {
    let sandbox = http();
    let Credential {
        client_id,
        client_secret,
        ..
    } = sandbox.credential();
    let auth = basic(&client_id, &client_secret);
    let twice = format!("client_id={client_id}&client_secret={client_secret}&{GRANT}");
    for (headers, body) in [
        (
            &[("Authorization", auth.as_str()), FORM][..],
            twice.as_str(),
        ),
        (&[FORM][..], GRANT),
    ] {
        let reply = ask(&sandbox, "POST", TOKEN, headers, body);
        assert_eq!(
            (reply.status, reply.error().1.as_str()),
            (400, "invalid_request"),
            "RFC 6749 §2.3"
        );
    }
    assert!(
        sandbox
            .requests()
            .iter()
            .all(|it| it.form == Some(Form::Unknown)),
        "recorded as unknown"
    );
}

#[test]
fn each_token_path_can_be_disabled() {
    let paths = [
        (TokenPath::V1, "/api/v1/oauth/token"),
        (TokenPath::Beta, "/api/beta/oauth/token"),
    ];
    for (only, _) in paths {
        let sandbox = Sandbox::builder().http().token_paths(&[only]).start();
        let Credential {
            client_id,
            client_secret,
            ..
        } = sandbox.credential();
        for (path, address) in paths {
            let auth = basic(&client_id, &client_secret);
            let reply = ask(
                &sandbox,
                "POST",
                address,
                &[("Authorization", &auth), FORM],
                GRANT,
            );
            assert_eq!(
                reply.status,
                if path == only { 200 } else { 404 },
                "{address} if only {only:?} exists"
            );
        }
        assert_eq!(
            sandbox.token_requests(),
            2,
            "a request to a disabled path is a token request too"
        );
    }
}

#[test]
fn token_endpoint_accepts_post_only() {
    let sandbox = http();
    let reply = ask(&sandbox, "GET", TOKEN, &[], "");
    assert_eq!(
        (reply.status, reply.header("Allow")),
        (405, Some("POST")),
        "a GET would write the secret to logs"
    );
    assert_eq!(sandbox.token_requests(), 0, "a GET is not a token request");
}
