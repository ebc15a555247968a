//! HTTPS, with the certificate really verified.

use std::sync::Arc;

use cloudconnexa_sandbox::{Certificate, Fault, Sandbox};
use tokio_rustls::rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::client::{GRANT, TOKEN, basic};

/// A client that trusts the sandbox's CA and nothing else.
fn agent(sandbox: &Sandbox) -> Agent {
    let roots = parse_pem(sandbox.ca_pem().as_bytes()).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots.collect::<Vec<_>>()))
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    Agent::new_with_config(Agent::config_builder().tls_config(tls).build())
}

fn token(sandbox: &Sandbox, base_url: &str) -> Result<serde_json::Value, ureq::Error> {
    let credential = sandbox.credential();
    let mut response = agent(sandbox)
        .post(format!("{base_url}{TOKEN}"))
        .header(
            "Authorization",
            basic(&credential.client_id, &credential.client_secret),
        )
        .content_type("application/x-www-form-urlencoded")
        .send(GRANT)?;
    let text = response.body_mut().read_to_string()?;
    Ok(serde_json::from_str(&text).expect("a token answer is JSON"))
}

#[test]
fn a_client_that_trusts_the_ca_gets_a_token_by_address_and_by_name() {
    let sandbox = Sandbox::start();
    let by_name = format!("https://localhost:{}", sandbox.address().port());
    for base_url in [sandbox.base_url(), by_name.as_str()] {
        let answer = token(&sandbox, base_url).expect("the certificate covers both");
        assert_eq!(answer["token_type"], "bearer", "{base_url}");
    }
}

#[test]
fn a_certificate_that_is_wrong_in_one_way_is_refused_for_that_way() {
    let cases = [
        (Certificate::WrongHost, "not valid for name"),
        (Certificate::Expired, "expired"),
    ];
    for (certificate, reason) in cases {
        let sandbox = Sandbox::builder().certificate(certificate).start();
        let error = token(&sandbox, sandbox.base_url())
            .expect_err("verified and refused")
            .to_string();
        assert!(error.contains(reason), "{certificate:?}: {error}");
        assert_eq!(
            sandbox.requests(),
            [],
            "no request was sent, so no secret either"
        );
    }
}

#[test]
fn another_sandboxs_ca_is_not_trusted() {
    let (here, there) = (Sandbox::start(), Sandbox::start());
    let error = token(&here, there.base_url())
        .expect_err("each has a CA of its own")
        .to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
}

#[test]
fn socket_faults_are_real_under_tls_too() {
    let sandbox = Sandbox::start();
    for fault in [Fault::Reset, Fault::Close, Fault::CutOff] {
        sandbox.next(fault.clone());
        let outcome = token(&sandbox, sandbox.base_url());
        assert!(
            outcome.is_err(),
            "{fault:?} ends the connection: {outcome:?}"
        );
    }
    token(&sandbox, sandbox.base_url()).expect("the next request finds a healthy server");
}

#[test]
fn a_plain_sandbox_has_no_ca() {
    let sandbox = Sandbox::builder().http().start();
    assert_eq!(sandbox.ca_pem(), "", "nothing to trust");
    assert!(
        sandbox.base_url().starts_with("http://127.0.0.1:"),
        "{}",
        sandbox.base_url()
    );
}
