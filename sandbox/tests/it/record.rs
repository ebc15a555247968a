//! What the record holds, and what it never holds.

use std::sync::{Arc, Mutex};

use cloudconnexa_sandbox::{Credential, CredentialSpec, Form, Sandbox};

use crate::client::{TOKEN, ask, basic_token, http, networks, token};

#[test]
fn each_request_is_recorded_with_what_can_be_told() {
    let sandbox = http();
    let id = sandbox.credential().client_id;
    ask(&sandbox, "POST", TOKEN, &[("User-Agent", "probe/1")], "");
    let token = basic_token(&sandbox).token();
    networks(&sandbox, &token);
    let [nobody, asked, called] = sandbox.requests().try_into().expect("three requests");

    assert_eq!(
        (nobody.form, nobody.client_id, nobody.status),
        (Some(Form::Unknown), None, Some(400)),
        "no id"
    );
    assert_eq!(nobody.user_agent.as_deref(), Some("probe/1"), "who asked");
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", TOKEN),
        "what was asked"
    );
    assert_eq!(
        (asked.client_id, asked.status),
        (Some(id.clone()), Some(200)),
        "for whom, and the answer"
    );
    assert_eq!(
        (called.form, called.client_id),
        (None, Some(id.clone())),
        "a token tells its owner"
    );
    assert!(called.peer.is_loopback(), "where from");
    assert_eq!(
        (sandbox.token_requests(), sandbox.token_requests_of(&id)),
        (2, 1),
        "counted in all and by id"
    );
}

#[test]
fn neither_record_nor_log_nor_debug_text_holds_a_secret_or_a_token() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    let spec = CredentialSpec {
        client_secret: Some("ca/na ry".to_owned()),
        ..CredentialSpec::default()
    };
    let sandbox = Sandbox::builder()
        .http()
        .credential(spec)
        .log(move |request| lines.lock().expect("one writer").push(request.to_string()))
        .start();
    let credential = sandbox.credential();
    let wrong = Credential {
        client_secret: "ca/na ry?".to_owned(),
        ..credential.clone()
    };
    let mut tokens = Vec::new();
    for form in Form::ALL {
        tokens.push(token(&sandbox, form, &credential).token());
        token(&sandbox, form, &wrong);
    }
    networks(&sandbox, &tokens[0]);
    let summary = ask(&sandbox, "GET", "/sandbox/requests", &[], "").body;

    let log = log.lock().expect("one reader").clone();
    assert_eq!(log.len(), 11, "one line a request");
    let told = format!(
        "{summary}{:?}{credential:?}{sandbox:?}{log:?}",
        sandbox.requests()
    );
    for secret in ["ca/na", "ca%2Fna", "Y2EvbmE"]
        .into_iter()
        .chain(tokens.iter().map(String::as_str))
    {
        assert!(!told.contains(secret), "{secret} was told in {told}");
    }
}

#[test]
fn a_hostile_client_id_cannot_forge_a_log_line() {
    let sandbox = http();
    let forged = Credential {
        client_id: format!("x\n{}", "y".repeat(500)),
        ..sandbox.credential()
    };
    token(&sandbox, Form::Body, &forged);
    let line = sandbox.requests()[0].to_string();
    assert!(
        !line.contains('\n') && line.len() < 350,
        "escaped and cut: {line}"
    );
}

#[test]
fn waiting_ends_as_soon_as_the_requests_are_there() {
    let sandbox = http();
    std::thread::scope(|scope| {
        scope.spawn(|| basic_token(&sandbox));
        sandbox.wait_for_token_requests(1);
        sandbox.wait_until("an answered request", |requests| {
            requests.iter().any(|it| it.status == Some(200))
        });
    });
    assert_eq!(sandbox.token_requests(), 1, "one request was enough");
}

#[test]
fn a_dropped_sandbox_listens_no_more() {
    let sandbox = http();
    let address = sandbox.address();
    drop(sandbox);
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "its thread has ended with it"
    );
}
