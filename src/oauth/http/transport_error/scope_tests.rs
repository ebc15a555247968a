//! Tests of which errors are recorded for other callers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{Endpoints, Stage, TransportCause, TransportError};

#[test]
fn local_causes_are_those_of_this_process_alone() {
    let is_local = |stage, proxy: Option<&str>, cause| {
        let endpoints = Endpoints {
            host: "https://acme.test".to_owned(),
            proxy: proxy.map(str::to_owned),
        };
        let error = TransportError {
            endpoints,
            stage,
            cause,
        };
        error.is_local()
    };
    let io = |kind: io::ErrorKind| TransportCause::Io(Arc::new(kind.into()));
    let proxy = Some("http://proxy.test:3128");
    let refused = || io(io::ErrorKind::ConnectionRefused);
    let untrusted = TransportCause::Tls {
        error: rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer),
        roots_problem: None,
    };
    assert!(is_local(Stage::LookUp, None, io(io::ErrorKind::Other)));
    assert!(is_local(Stage::Connect, proxy, refused()));
    assert!(is_local(
        Stage::Tunnel,
        proxy,
        TransportCause::ProxyStatus(Some(407))
    ));
    assert!(is_local(Stage::Handshake, None, untrusted));
    assert!(!is_local(Stage::Connect, None, refused()));
    assert!(!is_local(
        Stage::Exchange,
        proxy,
        io(io::ErrorKind::ConnectionReset)
    ));
    let over = TransportCause::DeadlineExceeded(Duration::from_secs(9));
    assert!(
        !is_local(Stage::LookUp, None, over),
        "recorded with its time limit"
    );
}
