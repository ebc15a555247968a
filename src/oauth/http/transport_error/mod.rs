//! What went wrong on the way to a server, in words that are true of the stage it went wrong at. No
//! I/O; and none of a library's own text but what is known to hold no URL.

use std::io;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};
use time::OffsetDateTime;

use crate::duration::show;
use crate::oauth::failure::Failure;
use crate::quote::quote;
use crate::roots::NO_ROOTS;

/// How far a request came: what was under way when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The name of the server, or of the proxy, was looked up.
    LookUp,
    /// A connection was made, and a SOCKS proxy asked for the way.
    Connect,
    /// An HTTP proxy was asked for the way.
    Tunnel,
    /// TLS with the server.
    Handshake,
    /// The request and the answer.
    Exchange,
}

/// Between whom it was.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    /// The server's origin.
    pub(super) host: String,
    /// The proxy (without its password), where one is taken.
    pub(super) proxy: Option<String>,
}

impl Endpoints {
    /// Whom the connection is made to.
    fn peer(&self) -> &str {
        self.proxy.as_deref().unwrap_or(&self.host)
    }

    /// The server, and the way to it.
    fn host_by(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("{} through {proxy}", self.host),
            None => self.host.clone(),
        }
    }

    /// What was not done within the time that there was.
    pub(super) fn timeout_message(&self, stage: Stage, limit: Duration) -> String {
        let (peer, host, by, limit) = (self.peer(), &self.host, self.host_by(), show(limit));
        match stage {
            Stage::LookUp => format!("DNS did not answer for the name of {peer} within {limit}"),
            Stage::Connect => format!("no connection to {by} within {limit}"),
            Stage::Tunnel => format!("{peer} opened no way to {host} within {limit}"),
            Stage::Handshake => format!("no TLS handshake with {by} within {limit}"),
            Stage::Exchange => format!("nothing whole came from {by} within {limit}"),
        }
    }

    /// What a socket, the look-up or a SOCKS proxy says.
    pub(super) fn io(&self, stage: Stage, error: &io::Error) -> Failure {
        let told = error.to_string();
        let told = told.split(" (os error").next().unwrap_or_default();
        if let Some(told) = told.strip_prefix("failed to lookup address information: ") {
            return self.not_found(told);
        }
        let is_socks = stage == Stage::Connect && error.raw_os_error().is_none();
        if let (true, Some(proxy)) = (is_socks, &self.proxy) {
            return self.socks(proxy, error, told);
        }
        let (peer, host, by) = (self.peer(), &self.host, self.host_by());
        let reason = match (error.kind(), stage) {
            (io::ErrorKind::ConnectionRefused, _) => format!("{peer} refused the connection"),
            (io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable, _) => {
                format!("there is no route to {peer}")
            }
            (_, Stage::LookUp) => format!("the name of {peer} could not be looked up"),
            (io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe, stage) => {
                self.ended("reset", stage)
            }
            (io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted, stage) => {
                let until = match stage {
                    Stage::Exchange => " before the answer was whole",
                    _ => "",
                };
                return Failure::Unavailable {
                    reason: self.ended("closed", stage) + until,
                    detail: None,
                };
            }
            (_, Stage::Connect) => format!("no connection to {peer}"),
            (_, Stage::Tunnel) => format!("{peer} opened no way to {host}"),
            _ => format!("the connection to {by} broke"),
        };
        Failure::Unavailable {
            reason,
            detail: Some(quote(told)).filter(|told| !told.is_empty()),
        }
    }

    /// Who ended a connection; with a proxy on the way that is not known.
    fn ended(&self, how: &str, stage: Stage) -> String {
        let place = match stage {
            Stage::Handshake => " in the TLS handshake",
            _ => "",
        };
        match (&self.proxy, stage) {
            (Some(_), Stage::Handshake | Stage::Exchange) => {
                format!("the connection to {} was {how}{place}", self.host_by())
            }
            _ => format!("{} {how} the connection{place}", self.peer()),
        }
    }

    /// The look-up ended: with the word that there is no such name, or without any. Of the error's
    /// number the standard library leaves only the text, which is the C library's: glibc's, musl's,
    /// macOS's.
    fn not_found(&self, told: &str) -> Failure {
        let peer = self.peer();
        let is_known_to_be_none = [
            "Name or service not known",
            "No address associated with",
            "Name does not resolve",
            "Name has no usable address",
            "nodename nor servname provided",
        ]
        .iter()
        .any(|words| told.contains(words));
        Failure::Unavailable {
            reason: if is_known_to_be_none {
                format!("the name of {peer} was not found")
            } else {
                format!("the name of {peer} could not be looked up: DNS failed")
            },
            detail: Some(quote(told)).filter(|told| !told.is_empty()),
        }
    }

    fn socks(&self, proxy: &str, error: &io::Error, told: &str) -> Failure {
        let host = &self.host;
        let is_about_password = error.kind() == io::ErrorKind::PermissionDenied
            || told.contains("auth method")
            || told.contains("invalid username")
            || told.contains("invalid password");
        match error.kind() {
            _ if is_about_password => Failure::Unusable {
                reason: format!(
                    "{proxy} did not let the connection through: it wants another user and password"
                ),
                detail: Some(quote(told)),
                hint: Some(CHECK_PROXY.to_owned()),
            },
            io::ErrorKind::InvalidData => Failure::Unusable {
                reason: format!("{proxy} does not speak SOCKS as its URL says"),
                detail: Some(quote(told)),
                hint: Some(CHECK_PROXY.to_owned()),
            },
            io::ErrorKind::UnexpectedEof => Failure::Unavailable {
                reason: format!("{proxy} closed the connection before there was a way to {host}"),
                detail: None,
            },
            _ => Failure::Unavailable {
                reason: format!("{proxy} opened no way to {host}"),
                detail: Some(quote(told)).filter(|told| !told.is_empty()),
            },
        }
    }

    /// An HTTP proxy answered CONNECT with another status than 200, or with none.
    pub(super) fn refused_by_proxy(&self, status: Option<u16>) -> Failure {
        let (proxy, host) = (self.peer(), &self.host);
        let Some(status) = status else {
            return Failure::Unavailable {
                reason: format!("{proxy} gave no whole answer to CONNECT"),
                detail: None,
            };
        };
        let why = match status {
            // Some say 401 of what is theirs.
            401 | 407 => format!("it wants a user and password, or others ({status})"),
            403 => format!("it forbids {host} (403)"),
            500..=599 => format!("it cannot reach {host} ({status})"),
            _ => format!("it answered {status}"),
        };
        let reason = format!("{proxy} did not let the connection through: {why}");
        if (500..600).contains(&status) {
            return Failure::Unavailable {
                reason,
                detail: None,
            };
        }
        Failure::Unusable {
            reason,
            detail: Some(NOTHING_SENT.to_owned()),
            hint: Some(CHECK_PROXY.to_owned()),
        }
    }

    /// The header of an answer is larger, or longer, than is read.
    pub(super) fn large_header(&self, stage: Stage) -> Failure {
        if let (Some(proxy), true) = (&self.proxy, stage != Stage::Exchange) {
            return Failure::Unusable {
                reason: format!("{proxy} answered CONNECT with a header that is too large"),
                detail: Some(NOTHING_SENT.to_owned()),
                hint: Some(CHECK_PROXY.to_owned()),
            };
        }
        Failure::Unusable {
            reason: "the header of the answer is too large".to_owned(),
            detail: None,
            hint: None,
        }
    }

    /// What came is not HTTP; `is_plain` where no TLS was spoken on purpose.
    pub(super) fn no_http(&self, stage: Stage, is_plain: bool) -> Failure {
        if let (Some(proxy), true) = (&self.proxy, stage != Stage::Exchange) {
            return Failure::Unusable {
                reason: format!("{proxy} answered CONNECT with something that is not HTTP/1.1"),
                detail: Some(NOTHING_SENT.to_owned()),
                hint: Some(CHECK_PROXY.to_owned()),
            };
        }
        Failure::Unusable {
            reason: "the answer is not HTTP/1.1".to_owned(),
            detail: None,
            hint: is_plain.then(|| "if the server speaks TLS, write `https://`".to_owned()),
        }
    }

    /// TLS, or the certificate, is not as it has to be; `problem` is what went wrong with reading the
    /// root certificates.
    pub(super) fn tls(
        &self,
        stage: Stage,
        error: &rustls::Error,
        problem: Option<&str>,
    ) -> Failure {
        // Before the way is open it is a proxy that speaks TLS itself.
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
        // Behind a brace the library shows its own insides.
        let told = error.to_string();
        let mut detail = quote(told.split(" {").next().unwrap_or_default());
        if let Some(problem) = problem {
            detail = format!("{detail}; {problem}");
        }
        let hint = match problem {
            Some(NO_ROOTS) => "install ca-certificates, or set `SSL_CERT_FILE`",
            _ => hint,
        };
        Failure::Unusable {
            reason,
            detail: Some(detail),
            hint: Some(hint.to_owned()),
        }
    }
}

/// Of a proxy that opened no way.
const NOTHING_SENT: &str = "no request was sent";

/// What to do about a proxy.
const CHECK_PROXY: &str = "check `HTTPS_PROXY` (its user and password too) and `NO_PROXY`";

/// What is wrong with a certificate, and what to do.
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

/// A name as the library shows it, `DnsName("acme.test")` or `IpAddress(127.0.0.1)`.
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

/// Why two ends do not come to speak TLS, and what to do.
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

#[cfg(test)]
mod tests;
