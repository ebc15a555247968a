//! Messages for errors of TLS and of certificates.

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};
use time::OffsetDateTime;

use super::{Endpoints, Stage};
use crate::oauth::message::{ErrorClass, ErrorMessage};
use crate::system::tls_roots::NO_ROOTS;
use crate::types::quote::quote;

impl Endpoints {
    /// The message for an error of TLS or of the certificate. `problem` is the error from reading
    /// the root certificates.
    pub(super) fn tls(
        &self,
        stage: Stage,
        error: &rustls::Error,
        problem: Option<&str>,
    ) -> ErrorMessage {
        // Before the tunnel is open, the TLS peer is the proxy.
        let whom = match stage {
            Stage::Handshake | Stage::Exchange => self.host_by(),
            _ => self.peer().to_owned(),
        };
        let (reason, hint) = if let rustls::Error::InvalidCertificate(bad) = error {
            let (why, hint) = why_not_trusted(bad);
            let reason = format!("the TLS connection to {whom} cannot be trusted: {why}");
            (reason, hint)
        } else {
            let (why, hint) = why_no_tls(stage, error);
            (format!("no TLS connection to {whom}: {why}"), hint)
        };
        // After ` {` the text of the library contains its internal data.
        let told = error.to_string();
        let mut detail = quote(told.split(" {").next().unwrap_or_default());
        if let Some(problem) = problem {
            detail = format!("{detail}; {problem}");
        }
        let hint = match problem {
            Some(NO_ROOTS) => "install ca-certificates, or set `SSL_CERT_FILE`",
            _ => hint,
        };
        ErrorMessage {
            class: ErrorClass::Unusable,
            reason,
            detail: Some(detail),
            hint: Some(hint.to_owned()),
        }
    }
}

/// The error in a certificate, and the hint.
fn why_not_trusted(bad: &CertificateError) -> (String, &'static str) {
    use CertificateError as Bad;
    let clock = "check this machine's clock, then the server's certificate";
    let name = "check `cloud_id` or `base_url`: another host answers there";
    let server = "the server needs another certificate; tell whoever runs it";
    match bad {
        Bad::UnknownIssuer => (
            "no CA that is known here has signed its certificate".to_owned(),
            "if the server or a proxy uses a private CA, set `ca_file` or `SSL_CERT_FILE`",
        ),
        Bad::ExpiredContext { not_after, .. } => (
            format!("its certificate expired on {}", day(*not_after)),
            clock,
        ),
        Bad::Expired => ("its certificate has expired".to_owned(), clock),
        Bad::NotValidYetContext { not_before, .. } => (
            format!("its certificate is not valid before {}", day(*not_before)),
            clock,
        ),
        Bad::NotValidYet => ("its certificate is not valid yet".to_owned(), clock),
        Bad::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names: Vec<String> = presented.iter().take(3).map(|it| name_of(it)).collect();
            let (expected, more) = (expected.to_str(), presented.len().saturating_sub(3));
            let why = match (names.as_slice(), more) {
                ([], _) => format!("its certificate names no host, `{expected}` neither"),
                (names, 0) => {
                    format!(
                        "its certificate is for {}, not `{expected}`",
                        names.join(", ")
                    )
                }
                (names, more) => format!(
                    "its certificate is for {} and {more} more, not `{expected}`",
                    names.join(", ")
                ),
            };
            (why, name)
        }
        Bad::NotValidForName => ("its certificate is for another host".to_owned(), name),
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
            ("its certificate is not one for servers".to_owned(), server)
        }
        Bad::BadSignature => (
            "its key, or its CA's, is too weak or did not make the signature".to_owned(),
            server,
        ),
        Bad::BadEncoding => ("its certificate cannot be read".to_owned(), server),
        Bad::UnsupportedSignatureAlgorithmContext { .. }
        | Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "its certificate has a key or a signature that is too old or too weak".to_owned(),
            server,
        ),
        Bad::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => (
            "its certificate is one for a CA and not for a server".to_owned(),
            server,
        ),
        _ => ("its certificate cannot be used".to_owned(), server),
    }
}

/// Extracts the name from the library's form: `DnsName("acme.test")` or `IpAddress(127.0.0.1)`.
fn name_of(presented: &str) -> String {
    let inner = presented
        .split_once('(')
        .map_or(presented, |(_, rest)| rest);
    format!("`{}`", quote(inner.trim_end_matches(')').trim_matches('"')))
}

fn day(moment: UnixTime) -> String {
    i64::try_from(moment.as_secs())
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .map_or_else(
            || "a day that is none".to_owned(),
            |at| at.date().to_string(),
        )
}

/// The reason why the TLS handshake failed, and the hint.
fn why_no_tls(stage: Stage, error: &rustls::Error) -> (String, &'static str) {
    use rustls::Error as E;
    let versions = "the server must speak TLS 1.2 or 1.3";
    match error {
        E::AlertReceived(AlertDescription::ProtocolVersion)
        | E::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => ("it speaks neither TLS 1.2 nor 1.3".to_owned(), versions),
        E::AlertReceived(AlertDescription::HandshakeFailure) => (
            "it refused the handshake".to_owned(),
            "the server must speak TLS 1.2 or 1.3 with ciphers of today, without a client certificate",
        ),
        E::AlertReceived(AlertDescription::CertificateRequired) => (
            "it wants a client certificate".to_owned(),
            "this program has none to show; the server must do without",
        ),
        E::PeerIncompatible(_) => (
            "it offers nothing that is safe enough".to_owned(),
            "the server must speak TLS 1.2 or 1.3 with ciphers and keys of today",
        ),
        E::AlertReceived(AlertDescription::UnrecognisedName) => (
            "it knows no host of that name".to_owned(),
            "check `cloud_id` or `base_url`",
        ),
        E::AlertReceived(alert) => (format!("it ended it with the alert {alert:?}"), versions),
        E::InvalidMessage(InvalidMessage::InvalidContentType) if stage == Stage::Handshake => {
            ("what answers there does not speak TLS".to_owned(), versions)
        }
        E::DecryptError | E::PeerMisbehaved(_) | E::PeerSentOversizedRecord => (
            "what came was damaged or changed on the way".to_owned(),
            "look for a proxy or a firewall that changes what goes through it",
        ),
        _ => ("what came is not proper TLS".to_owned(), versions),
    }
}
