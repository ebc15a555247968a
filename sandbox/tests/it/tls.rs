//! HTTPS with verification of the certificate.

use std::sync::Arc;

use cloudconnexa_sandbox::{Certificate, Fault, Sandbox};
use tokio_rustls::rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::client::{GRANT, TOKEN, basic};

/// A client that trusts the sandbox's CA only.
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
fn trusted_ca_works_by_address_and_by_name() {
    let sandbox = Sandbox::start();
    let by_name = format!("https://localhost:{}", sandbox.address().port());
    for base_url in [sandbox.base_url(), by_name.as_str()] {
        let answer = token(&sandbox, base_url).expect("the certificate covers both");
        assert_eq!(answer["token_type"], "bearer", "{base_url}");
    }
}

#[test]
fn invalid_certificates_are_refused_for_their_reason() {
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
        assert_eq!(sandbox.requests(), [], "no request was sent");
    }
}

#[test]
fn ca_of_another_sandbox_is_not_trusted() {
    let (here, there) = (Sandbox::start(), Sandbox::start());
    let error = token(&here, there.base_url())
        .expect_err("each has a CA of its own")
        .to_string();
    assert!(error.contains("UnknownIssuer"), "{error}");
}

#[test]
fn socket_faults_work_under_tls() {
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
fn plain_http_sandbox_has_no_ca() {
    let sandbox = Sandbox::builder().http().start();
    assert_eq!(sandbox.ca_pem(), "", "no certificate");
    assert!(
        sandbox.base_url().starts_with("http://127.0.0.1:"),
        "{}",
        sandbox.base_url()
    );
}
