//! Connection errors and their messages. No I/O. The text of a library is shown only if it cannot
//! contain a URL.

#[cfg(test)]
mod scope_tests;
mod tls;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::oauth::message::{ErrorClass, ErrorMessage};
use crate::types::duration::show;
use crate::types::quote::quote;

/// The step of a request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The name lookup of the server or the proxy.
    LookUp,
    /// The TCP connection, and the request to a SOCKS proxy.
    Connect,
    /// The CONNECT request to an HTTP proxy.
    Tunnel,
    /// The TLS handshake with the server.
    Handshake,
    /// The request and the response.
    Exchange,
}

/// The two ends of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    /// The origin of the server.
    pub(super) host: String,
    /// The proxy (without its password), if one is used.
    pub(super) proxy: Option<String>,
}

/// The error of a request without a response.
#[derive(Debug, Clone)]
pub(crate) struct TransportError {
    /// The server, and the proxy if one is used.
    pub(super) endpoints: Endpoints,
    /// The step that failed.
    pub(super) stage: Stage,
    /// The cause of the failure.
    pub(super) cause: TransportCause,
}

/// The cause of a connection error.
#[derive(Debug, Clone)]
pub(crate) enum TransportCause {
    /// The server or the proxy did not answer within the time limit that applies to every request.
    Timeout(Duration),
    /// The caller's time limit ended.
    DeadlineExceeded(Duration),
    /// No time was left before the request.
    NoTimeLeft,
    /// A socket, the lookup or a SOCKS proxy failed.
    Io(Arc<io::Error>),
    /// TLS failed.
    Tls {
        /// The error of rustls.
        error: rustls::Error,
        /// The error in the root certificates, if any.
        roots_problem: Option<String>,
    },
    /// An HTTP proxy answered CONNECT with this status, or without a status.
    ProxyStatus(Option<u16>),
    /// The header of the response is too large.
    LargeHeader,
    /// The body of the response is too large.
    LargeBody,
    /// The response is not HTTP/1.1.
    NotHttp {
        /// Whether the connection is without TLS, as configured.
        is_plain: bool,
    },
    /// The host is not a valid name for a certificate.
    CertificateName(String),
    /// The credentials cannot be put into a header.
    Header,
    /// ureq rejected the request.
    Unsendable,
}

impl TransportError {
    /// Returns whether the cause is in the settings or the network of this process: name
    /// resolution, the proxy, or the trust in the server's certificate.
    pub(crate) fn is_local(&self) -> bool {
        let is_before_server = match self.stage {
            Stage::LookUp => true,
            Stage::Connect | Stage::Tunnel => self.endpoints.proxy.is_some(),
            Stage::Handshake | Stage::Exchange => false,
        };
        let is_deadline = matches!(
            self.cause,
            TransportCause::DeadlineExceeded(_) | TransportCause::NoTimeLeft
        );
        match &self.cause {
            TransportCause::Tls { .. }
            | TransportCause::ProxyStatus(_)
            | TransportCause::CertificateName(_)
            | TransportCause::Header
            | TransportCause::Unsendable => true,
            _ => is_before_server && !is_deadline,
        }
    }

    /// The message of the error.
    pub(crate) fn message(&self) -> ErrorMessage {
        let (endpoints, stage) = (&self.endpoints, self.stage);
        let words = |class, reason: String| ErrorMessage {
            class,
            reason,
            detail: None,
            hint: None,
        };
        let unusable = |reason: &str| words(ErrorClass::Unusable, reason.to_owned());
        match &self.cause {
            TransportCause::Timeout(limit) => words(
                ErrorClass::Unavailable,
                endpoints.timeout_message(stage, *limit),
            ),
            TransportCause::DeadlineExceeded(limit) => words(
                ErrorClass::TimedOut,
                endpoints.timeout_message(stage, *limit),
            ),
            TransportCause::NoTimeLeft => words(
                ErrorClass::TimedOut,
                "no time was left for a request".to_owned(),
            ),
            TransportCause::Io(error) => endpoints.io(stage, error),
            TransportCause::Tls {
                error,
                roots_problem,
            } => endpoints.tls(stage, error, roots_problem.as_deref()),
            TransportCause::ProxyStatus(status) => endpoints.refused_by_proxy(*status),
            TransportCause::LargeHeader => endpoints.large_header(stage),
            TransportCause::LargeBody => unusable("the answer is larger than 1 MiB"),
            TransportCause::NotHttp { is_plain } => endpoints.no_http(stage, *is_plain),
            TransportCause::CertificateName(host) => {
                unusable(&format!("{host} cannot be the name of a certificate"))
            }
            TransportCause::Header => unusable("the credentials cannot be put into a header"),
            TransportCause::Unsendable => unusable("the request could not be made"),
        }
    }
}

#[cfg(test)]
impl TransportError {
    /// The error if the caller's time limit ended the request.
    pub(crate) fn deadline_exceeded() -> Self {
        Self {
            endpoints: Endpoints {
                host: "https://acme.test".to_owned(),
                proxy: None,
            },
            stage: Stage::Exchange,
            cause: TransportCause::DeadlineExceeded(Duration::from_secs(1)),
        }
    }
}

impl Endpoints {
    /// The peer of the TCP connection: the proxy if one is used, otherwise the server.
    fn peer(&self) -> &str {
        self.proxy.as_deref().unwrap_or(&self.host)
    }

    /// The server, and the proxy if one is used.
    fn host_by(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("{} through {proxy}", self.host),
            None => self.host.clone(),
        }
    }

    /// Describes the step that did not end within the time limit.
    pub(super) fn timeout_message(&self, stage: Stage, limit: Duration) -> String {
        let (peer, host, by, limit) = (self.peer(), &self.host, self.host_by(), show(limit));
        match stage {
            Stage::LookUp => format!("DNS did not answer for the name of {peer} within {limit}"),
            Stage::Connect => format!("connecting to {by} timed out after {limit}"),
            Stage::Tunnel => format!("{peer} did not open a tunnel to {host} within {limit}"),
            Stage::Handshake => format!("no TLS handshake with {by} within {limit}"),
            Stage::Exchange => format!("{by} sent no complete response within {limit}"),
        }
    }

    /// The message for an error of a socket, the name lookup or a SOCKS proxy.
    pub(super) fn io(&self, stage: Stage, error: &io::Error) -> ErrorMessage {
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
                return ErrorMessage {
                    class: ErrorClass::Unavailable,
                    hint: None,
                    reason: self.ended("closed", stage) + until,
                    detail: None,
                };
            }
            (_, Stage::Connect) => format!("cannot connect to {peer}"),
            (_, Stage::Tunnel) => format!("{peer} did not open a tunnel to {host}"),
            _ => format!("the connection to {by} broke"),
        };
        ErrorMessage {
            class: ErrorClass::Unavailable,
            hint: None,
            reason,
            detail: Some(quote(told)).filter(|told| !told.is_empty()),
        }
    }

    /// Describes which side ended the connection. Through a proxy this is not known.
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

    /// The message for a failed name lookup: the name does not exist, or the lookup gave no result.
    /// The standard library drops the error number and keeps only the text of the C library (glibc,
    /// musl, macOS).
    fn not_found(&self, told: &str) -> ErrorMessage {
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
        ErrorMessage {
            class: ErrorClass::Unavailable,
            hint: None,
            reason: if is_known_to_be_none {
                format!("the name of {peer} was not found")
            } else {
                format!("the name of {peer} could not be looked up: DNS failed")
            },
            detail: Some(quote(told)).filter(|told| !told.is_empty()),
        }
    }

    fn socks(&self, proxy: &str, error: &io::Error, told: &str) -> ErrorMessage {
        let host = &self.host;
        let is_about_password = error.kind() == io::ErrorKind::PermissionDenied
            || told.contains("auth method")
            || told.contains("invalid username")
            || told.contains("invalid password");
        match error.kind() {
            _ if is_about_password => ErrorMessage {
                class: ErrorClass::Unusable,
                reason: format!(
                    "{proxy} did not let the connection through: it wants another user and password"
                ),
                detail: Some(quote(told)),
                hint: Some(CHECK_PROXY.to_owned()),
            },
            io::ErrorKind::InvalidData => ErrorMessage {
                class: ErrorClass::Unusable,
                reason: format!("{proxy} does not speak SOCKS as its URL says"),
                detail: Some(quote(told)),
                hint: Some(CHECK_PROXY.to_owned()),
            },
            io::ErrorKind::UnexpectedEof => ErrorMessage {
                class: ErrorClass::Unavailable,
                hint: None,
                reason: format!("{proxy} closed the connection before there was a way to {host}"),
                detail: None,
            },
            _ => ErrorMessage {
                class: ErrorClass::Unavailable,
                hint: None,
                reason: format!("{proxy} did not open a tunnel to {host}"),
                detail: Some(quote(told)).filter(|told| !told.is_empty()),
            },
        }
    }

    /// The message if an HTTP proxy answered CONNECT with a status other than 200, or without a
    /// status.
    pub(super) fn refused_by_proxy(&self, status: Option<u16>) -> ErrorMessage {
        let (proxy, host) = (self.peer(), &self.host);
        let Some(status) = status else {
            return ErrorMessage {
                class: ErrorClass::Unavailable,
                hint: None,
                reason: format!("{proxy} gave no whole answer to CONNECT"),
                detail: None,
            };
        };
        let why = match status {
            // Some proxies send 401 for their own authentication.
            401 | 407 => format!("it wants a user and password, or others ({status})"),
            403 => format!("it forbids {host} (403)"),
            500..=599 => format!("it cannot reach {host} ({status})"),
            _ => format!("it answered {status}"),
        };
        let reason = format!("{proxy} did not let the connection through: {why}");
        if (500..600).contains(&status) {
            return ErrorMessage {
                class: ErrorClass::Unavailable,
                hint: None,
                reason,
                detail: None,
            };
        }
        ErrorMessage {
            class: ErrorClass::Unusable,
            reason,
            detail: Some(NOTHING_SENT.to_owned()),
            hint: Some(CHECK_PROXY.to_owned()),
        }
    }

    /// The message if the header of a response is too large or has too many fields.
    pub(super) fn large_header(&self, stage: Stage) -> ErrorMessage {
        if let (Some(proxy), true) = (&self.proxy, stage != Stage::Exchange) {
            return ErrorMessage {
                class: ErrorClass::Unusable,
                reason: format!("{proxy} answered CONNECT with a header that is too large"),
                detail: Some(NOTHING_SENT.to_owned()),
                hint: Some(CHECK_PROXY.to_owned()),
            };
        }
        ErrorMessage {
            class: ErrorClass::Unusable,
            reason: "the header of the answer is too large".to_owned(),
            detail: None,
            hint: None,
        }
    }

    /// The message if a response is not HTTP. `is_plain` is set if the connection is without TLS,
    /// as configured.
    pub(super) fn no_http(&self, stage: Stage, is_plain: bool) -> ErrorMessage {
        if let (Some(proxy), true) = (&self.proxy, stage != Stage::Exchange) {
            return ErrorMessage {
                class: ErrorClass::Unusable,
                reason: format!("{proxy} answered CONNECT with something that is not HTTP/1.1"),
                detail: Some(NOTHING_SENT.to_owned()),
                hint: Some(CHECK_PROXY.to_owned()),
            };
        }
        ErrorMessage {
            class: ErrorClass::Unusable,
            reason: "the answer is not HTTP/1.1".to_owned(),
            detail: None,
            hint: is_plain.then(|| "if the server speaks TLS, write `https://`".to_owned()),
        }
    }
}

/// The detail of an error of a proxy that did not open a tunnel.
const NOTHING_SENT: &str = "no request was sent";

/// The hint for an error of a proxy.
const CHECK_PROXY: &str = "check `HTTPS_PROXY` (its user and password too) and `NO_PROXY`";

#[cfg(test)]
mod tests;
