//! The content of the record, and the absence of secrets.

use std::sync::{Arc, Mutex};

use cloudconnexa_sandbox::{Credential, CredentialSpec, Form, Sandbox};

use crate::client::{TOKEN, ask, basic_token, http, networks, token};

#[test]
fn record_has_the_properties_of_each_request() {
    let sandbox = http();
    let id = sandbox.credential().client_id;
    ask(&sandbox, "POST", TOKEN, &[("User-Agent", "probe/1")], "");
    let token = basic_token(&sandbox).token();
    networks(&sandbox, &token);
    let [without_id, token_request, api_request] =
        sandbox.requests().try_into().expect("three requests");

    assert_eq!(
        (without_id.form, without_id.client_id, without_id.status),
        (Some(Form::Unknown), None, Some(400)),
        "no client ID"
    );
    assert_eq!(
        without_id.user_agent.as_deref(),
        Some("probe/1"),
        "user agent"
    );
    assert_eq!(
        (token_request.method.as_str(), token_request.path.as_str()),
        ("POST", TOKEN),
        "method and path"
    );
    assert_eq!(
        (token_request.client_id, token_request.status),
        (Some(id.clone()), Some(200)),
        "client ID and status"
    );
    assert_eq!(
        (api_request.form, api_request.client_id),
        (None, Some(id.clone())),
        "the owner of the token"
    );
    assert!(api_request.peer.is_loopback(), "source address");
    assert_eq!(
        (sandbox.token_requests(), sandbox.token_requests_of(&id)),
        (2, 1),
        "counted in total and per client ID"
    );
}

#[test]
fn record_log_and_debug_output_contain_no_secret() {
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
    assert_eq!(log.len(), 11, "one line per request");
    let text = format!(
        "{summary}{:?}{credential:?}{sandbox:?}{log:?}",
        sandbox.requests()
    );
    for secret in ["ca/na", "ca%2Fna", "Y2EvbmE"]
        .into_iter()
        .chain(tokens.iter().map(String::as_str))
    {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

#[test]
fn control_characters_in_a_client_id_are_escaped() {
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
fn wait_ends_when_the_requests_have_arrived() {
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
fn dropped_sandbox_does_not_listen() {
    let sandbox = http();
    let address = sandbox.address();
    drop(sandbox);
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "its thread has ended"
    );
}
