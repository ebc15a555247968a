//! Every request form, taken and refused.

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
fn each_form_alone_is_taken_by_a_server_that_knows_it() {
    for form in Form::ALL {
        let sandbox = Sandbox::builder()
            .http()
            .accept(&[form])
            .credential(odd_credential())
            .start();
        let reply = token(&sandbox, form, &sandbox.credential());
        assert_eq!(
            reply.status, 200,
            "{form}: the only known form works: {reply:?}"
        );
        assert_eq!(
            reply.json()["token_type"],
            "bearer",
            "{form}: as the vendor writes it"
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
            "{form}: told apart from the others"
        );
    }
}

#[test]
fn a_form_that_is_switched_off_is_refused_as_by_a_server_that_never_knew_it() {
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
        assert_eq!((status, error.as_str()), expected, "{form} is off");
        let challenge = reply.header("WWW-Authenticate").is_some();
        assert_eq!(
            challenge,
            status == 401,
            "{form}: a challenge comes with 401 and only with it"
        );
    }
}

#[test]
fn a_secret_without_special_characters_is_basic_to_a_server_of_either_reading() {
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
            "and count as `basic`"
        );
    }
}

#[test]
fn an_ambiguous_secret_is_read_the_way_that_makes_it_right() {
    let ambiguous = CredentialSpec {
        client_secret: Some("a+b%2Fc".to_owned()),
        ..CredentialSpec::default()
    };
    let sandbox = Sandbox::builder().http().credential(ambiguous).start();
    for form in [Form::Basic, Form::BasicRaw] {
        assert_eq!(
            token(&sandbox, form, &sandbox.credential()).status,
            200,
            "{form} carries the right secret"
        );
    }
    let seen: Vec<_> = sandbox.requests().iter().map(|it| it.form).collect();
    assert_eq!(
        seen,
        [Some(Form::Basic), Some(Form::BasicRaw)],
        "the plain one could pass for an encoded one"
    );
}

#[test]
fn basic_with_an_empty_body_is_taken() {
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
fn credentials_in_two_places_or_in_none_are_no_known_form() {
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
        "and counted as unknown"
    );
}

#[test]
fn both_token_paths_work_and_each_can_be_switched_off() {
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
                "{address} where only {only:?} exists"
            );
        }
        assert_eq!(
            sandbox.token_requests(),
            2,
            "a request to a path that is off is still a token request"
        );
    }
}

#[test]
fn the_token_endpoint_answers_post_only() {
    let sandbox = http();
    let reply = ask(&sandbox, "GET", TOKEN, &[], "");
    assert_eq!(
        (reply.status, reply.header("Allow")),
        (405, Some("POST")),
        "GET would put a secret into logs"
    );
    assert_eq!(sandbox.token_requests(), 0, "a GET asks for no token");
}
