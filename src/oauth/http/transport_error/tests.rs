//! Tests of the message for each error. Other tests check that real faults cause these errors.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, InvalidMessage, OtherError, PeerIncompatible,
    PeerMisbehaved,
};

use super::{Endpoints, Stage};
use crate::oauth::ErrorMessage;

fn ends(has_proxy: bool) -> Endpoints {
    Endpoints {
        host: "HOST".to_owned(),
        proxy: has_proxy.then(|| "PROXY".to_owned()),
    }
}

/// The reason, the detail and the hint.
fn told(message: ErrorMessage) -> [String; 3] {
    let ErrorMessage {
        reason,
        detail,
        hint,
        ..
    } = message;
    [reason, detail.unwrap_or_default(), hint.unwrap_or_default()]
}

#[test]
fn what_was_not_done_in_time_is_told_by_its_stage() {
    let said = |has_proxy, stage| ends(has_proxy).timeout_message(stage, Duration::from_secs(2));
    for (stage, alone, behind) in [
        (
            Stage::LookUp,
            "DNS did not answer for the name of HOST within 2s",
            "DNS did not answer for the name of PROXY within 2s",
        ),
        (
            Stage::Connect,
            "connecting to HOST timed out after 2s",
            "connecting to HOST through PROXY timed out after 2s",
        ),
        (
            Stage::Handshake,
            "no TLS handshake with HOST within 2s",
            "no TLS handshake with HOST through PROXY within 2s",
        ),
        (
            Stage::Exchange,
            "HOST sent no complete response within 2s",
            "HOST through PROXY sent no complete response within 2s",
        ),
    ] {
        assert_eq!(said(false, stage), alone);
        assert_eq!(said(true, stage), behind);
    }
    let tunnel = "PROXY did not open a tunnel to HOST within 2s";
    assert_eq!(said(true, Stage::Tunnel), tunnel);
}

#[cfg(unix)]
#[test]
fn what_a_socket_says_is_told_by_its_stage() {
    use rustix::io::Errno;

    let whole = told;
    // The error has the number of the system. An error without a number is from SOCKS.
    let told = |has_proxy, stage, code: Errno| {
        let error = Error::from_raw_os_error(code.raw_os_error());
        let [reason, ..] = told(ends(has_proxy).io(stage, &error));
        reason
    };
    let (refused, unreachable) = (Errno::CONNREFUSED, Errno::NETUNREACH);
    let (reset, other) = (Errno::CONNRESET, Errno::NOMEM);
    for stage in [Stage::Connect, Stage::Tunnel, Stage::Exchange] {
        assert_eq!(told(false, stage, refused), "HOST refused the connection");
        assert_eq!(told(false, stage, unreachable), "there is no route to HOST");
    }
    assert_eq!(
        told(true, Stage::Connect, refused),
        "PROXY refused the connection"
    );
    let no_look_up = "the name of HOST could not be looked up";
    assert_eq!(told(false, Stage::LookUp, reset), no_look_up);
    for (has_proxy, stage, reason) in [
        (
            false,
            Stage::Handshake,
            "HOST reset the connection in the TLS handshake",
        ),
        (false, Stage::Exchange, "HOST reset the connection"),
        (
            true,
            Stage::Handshake,
            "the connection to HOST through PROXY was reset in the TLS handshake",
        ),
        (
            true,
            Stage::Exchange,
            "the connection to HOST through PROXY was reset",
        ),
        (true, Stage::Tunnel, "PROXY reset the connection"),
    ] {
        assert_eq!(told(has_proxy, stage, reset), reason);
    }
    assert_eq!(told(false, Stage::Connect, other), "cannot connect to HOST");
    assert_eq!(
        told(true, Stage::Tunnel, other),
        "PROXY did not open a tunnel to HOST"
    );
    let [_, detail, _] = whole(ends(false).io(Stage::Connect, &other.into()));
    assert!(!detail.is_empty(), "the text of the system");
    let broke = "the connection to HOST broke";
    assert_eq!(told(false, Stage::Exchange, other), broke);
}

#[test]
fn an_end_without_a_word_is_told_by_its_stage() {
    let end = Error::from(ErrorKind::UnexpectedEof);
    let told = |stage| told(ends(false).io(stage, &end));
    let [reason, detail, _] = told(Stage::Exchange);
    assert_eq!(
        reason,
        "HOST closed the connection before the answer was whole"
    );
    assert_eq!(detail, "", "there is no cause");
    let [reason, ..] = told(Stage::Handshake);
    assert_eq!(reason, "HOST closed the connection in the TLS handshake");
}

#[test]
fn a_name_that_is_none_is_told_from_a_look_up_that_failed() {
    let told = |text: &str| {
        let text = format!("failed to lookup address information: {text}");
        told(ends(false).io(Stage::LookUp, &Error::other(text)))
    };
    let [reason, detail, _] = told("Name or service not known");
    assert_eq!(reason, "the name of HOST was not found");
    assert!(detail.contains("Name or service"), "{detail}");
    let [reason, detail, _] = told("");
    assert_eq!(
        reason,
        "the name of HOST could not be looked up: DNS failed"
    );
    assert_eq!(detail, "", "the error has no text");
}

#[test]
fn what_a_socks_proxy_says_is_told_as_its() {
    let told =
        |kind, text: &str| told(ends(true).io(Stage::Connect, &Error::new(kind, text.to_owned())));
    let password = "PROXY did not let the connection through: it wants another user and password";
    for (kind, text) in [
        (ErrorKind::PermissionDenied, "no"),
        (ErrorKind::Other, "no acceptable auth method"),
        (ErrorKind::Other, "invalid username"),
        (ErrorKind::Other, "invalid password"),
    ] {
        let [reason, _, hint] = told(kind, text);
        assert_eq!(reason, password, "{text}");
        assert!(hint.contains("HTTPS_PROXY"), "{hint}");
    }
    let [reason, ..] = told(ErrorKind::InvalidData, "x");
    assert_eq!(reason, "PROXY does not speak SOCKS as its URL says");
    let [reason, ..] = told(ErrorKind::UnexpectedEof, "x");
    assert_eq!(
        reason,
        "PROXY closed the connection before there was a way to HOST"
    );
    let [reason, detail, _] = told(ErrorKind::Other, "general failure");
    assert_eq!(reason, "PROXY did not open a tunnel to HOST");
    assert!(detail.contains("general failure"), "{detail}");
    let [_, detail, _] = told(ErrorKind::Other, "");
    assert_eq!(detail, "", "the error has no text");
}

#[test]
fn what_an_http_proxy_answers_is_told_as_its() {
    let told = |status| told(ends(true).refused_by_proxy(status));
    let [reason, ..] = told(None);
    assert_eq!(reason, "PROXY gave no whole answer to CONNECT");
    for (status, why, is_setting) in [
        (401, "it wants a user and password, or others (401)", true),
        (407, "it wants a user and password, or others (407)", true),
        (403, "it forbids HOST (403)", true),
        (500, "it cannot reach HOST (500)", false),
        (599, "it cannot reach HOST (599)", false),
        (600, "it answered 600", true),
        (404, "it answered 404", true),
    ] {
        let [reason, _, hint] = told(Some(status));
        let expected = format!("PROXY did not let the connection through: {why}");
        assert_eq!(reason, expected);
        assert_eq!(!hint.is_empty(), is_setting, "{status}: {hint}");
    }
}

#[test]
fn an_answer_that_is_none_is_the_proxys_until_the_way_is_open() {
    for (has_proxy, stage, large, no_http) in [
        (
            true,
            Stage::Tunnel,
            "PROXY answered CONNECT with a header that is too large",
            "PROXY answered CONNECT with something that is not HTTP/1.1",
        ),
        (
            true,
            Stage::Exchange,
            "the header of the answer is too large",
            "the answer is not HTTP/1.1",
        ),
        (
            false,
            Stage::Exchange,
            "the header of the answer is too large",
            "the answer is not HTTP/1.1",
        ),
    ] {
        let [reason, ..] = told(ends(has_proxy).large_header(stage));
        assert_eq!(reason, large);
        let [reason, ..] = told(ends(has_proxy).no_http(stage, false));
        assert_eq!(reason, no_http);
    }
    let [_, _, hint] = told(ends(false).no_http(Stage::Exchange, true));
    assert_eq!(hint, "if the server speaks TLS, write `https://`");
}

#[test]
fn a_certificate_that_cannot_be_trusted_is_told_with_what_is_wrong_and_what_to_do() {
    use CertificateError as Bad;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(784_111_777));
    let (time, not_after) = (at, at);
    let not_before = at;
    let expected = || ServerName::try_from("acme.test").unwrap();
    let named = |names: &[&str]| Bad::NotValidForNameContext {
        expected: expected(),
        presented: names.iter().map(|&name| name.to_owned()).collect(),
    };
    let other = |text: &'static str| {
        let error: Box<dyn std::error::Error + Send + Sync> = text.into();
        Bad::Other(OtherError(error.into()))
    };
    let (clock, host, server) = (
        "machine's clock",
        "`cloud_id` or `base_url`",
        "tell whoever",
    );
    for (bad, why, hint) in [
        (Bad::UnknownIssuer, "no CA that is known here", "`ca_file`"),
        (
            Bad::ExpiredContext { time, not_after },
            "expired on 1994-11-06",
            clock,
        ),
        (Bad::Expired, "its certificate has expired", clock),
        (
            Bad::NotValidYetContext { time, not_before },
            "not valid before 1994-11-06",
            clock,
        ),
        (Bad::NotValidYet, "its certificate is not valid yet", clock),
        (named(&[]), "names no host, `acme.test` neither", host),
        (
            named(&["DnsName(\"a.test\")", "IpAddress(127.0.0.1)"]),
            "is for `a.test`, `127.0.0.1`, not `acme.test`",
            host,
        ),
        (
            named(&["a", "b", "c", "d", "e"]),
            "is for `a`, `b`, `c` and 2 more, not `acme.test`",
            host,
        ),
        (
            Bad::NotValidForName,
            "its certificate is for another host",
            host,
        ),
        (Bad::InvalidPurpose, "is not one for servers", server),
        (Bad::BadSignature, "is too weak or did not make", server),
        (Bad::BadEncoding, "its certificate cannot be read", server),
        (
            Bad::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: Vec::new(),
                supported_algorithms: Vec::new(),
            },
            "a signature that is too old or too weak",
            server,
        ),
        (
            other("CaUsedAsEndEntity"),
            "one for a CA and not for a server",
            server,
        ),
        (other("anything"), "its certificate cannot be used", server),
        (Bad::Revoked, "its certificate cannot be used", server),
    ] {
        let error = rustls::Error::InvalidCertificate(bad);
        let [reason, _, todo] = told(ends(true).tls(Stage::Handshake, &error, None));
        let whom = "the TLS connection to HOST through PROXY cannot be trusted: ";
        assert!(reason.starts_with(whom) && reason.contains(why), "{reason}");
        assert!(todo.contains(hint), "{reason}: {todo}");
    }
}

#[test]
fn two_ends_that_do_not_come_to_speak_tls_are_told_with_what_to_do() {
    use AlertDescription as Alert;
    use rustls::Error as E;
    let versions = "must speak TLS 1.2 or 1.3";
    let no_tls = || E::InvalidMessage(InvalidMessage::InvalidContentType);
    for (error, stage, why, hint) in [
        (
            E::AlertReceived(Alert::ProtocolVersion),
            Stage::Handshake,
            "it speaks neither TLS 1.2 nor 1.3",
            versions,
        ),
        (
            E::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
            Stage::Handshake,
            "it speaks neither TLS 1.2 nor 1.3",
            versions,
        ),
        (
            E::AlertReceived(Alert::HandshakeFailure),
            Stage::Handshake,
            "it refused the handshake",
            "without a client certificate",
        ),
        (
            E::AlertReceived(Alert::CertificateRequired),
            Stage::Exchange,
            "it wants a client certificate",
            "has none to show",
        ),
        (
            E::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
            Stage::Handshake,
            "it offers nothing that is safe enough",
            "ciphers and keys of today",
        ),
        (
            E::AlertReceived(Alert::UnrecognisedName),
            Stage::Handshake,
            "it knows no host of that name",
            "`cloud_id` or `base_url`",
        ),
        (
            E::AlertReceived(Alert::InternalError),
            Stage::Handshake,
            "it ended it with the alert InternalError",
            versions,
        ),
        (
            no_tls(),
            Stage::Handshake,
            "what answers there does not speak TLS",
            versions,
        ),
        (
            no_tls(),
            Stage::Exchange,
            "what came is not proper TLS",
            versions,
        ),
        (
            E::PeerMisbehaved(PeerMisbehaved::TooMuchEarlyDataReceived),
            Stage::Handshake,
            "what came was damaged or changed on the way",
            "a proxy or a firewall",
        ),
        (
            E::General(String::new()),
            Stage::Handshake,
            "what came is not proper TLS",
            "",
        ),
    ] {
        let [reason, _, todo] = told(ends(false).tls(stage, &error, None));
        assert_eq!(reason, format!("no TLS connection to HOST: {why}"));
        assert!(todo.contains(hint), "{reason}: {todo}");
    }
    let [reason, ..] = told(ends(true).tls(Stage::Tunnel, &no_tls(), None));
    let whom = "no TLS connection to PROXY: ";
    assert!(
        reason.starts_with(whom),
        "the tunnel is not open yet: {reason}"
    );
}
