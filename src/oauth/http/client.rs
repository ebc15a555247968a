//! HTTP to the token endpoint, and to the API for `doctor` and `login`. Redirects are returned to
//! the caller, and every status is a response. Time and size are limited. The root certificates of
//! the system are trusted. Messages never contain an error text of ureq, because it could contain
//! the URL.

use std::cell::Cell;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use ureq::http::{HeaderValue, Response, Uri as HttpUri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy, RequestBuilder, Timeout};
use zeroize::Zeroizing;

use super::connector::{StageTracker, agent_with};
use super::proxy::{Proxies, has_valid_port};
use super::transport_error::{Endpoints, Stage, TransportCause, TransportError};
use crate::oauth::request::HttpRequest;
use crate::system::clock::{Clock, Deadline};
use crate::system::tls_roots::{Roots, RootsError, System, tls_error};
use crate::types::secret::joined;
use crate::types::token::AccessToken;
use crate::types::uri::{Origin, Scheme, Uri};

/// The maximum size of a response, in bytes.
const LARGEST_ANSWER: u64 = 1024 * 1024;

/// The time limit of the name lookup. The same limit applies again to TCP, proxy and TLS together.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// The connection settings of a profile and the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpSettings {
    /// The origin that receives the requests.
    pub(crate) origin: Origin,
    /// A file with additional root certificates, PEM.
    pub(crate) ca_file: Option<PathBuf>,
    /// The proxy settings.
    pub(crate) proxies: Proxies,
}

/// An error in the settings that prevents all requests. A retry does not help.
#[derive(Debug, Error)]
pub(crate) enum SetupError {
    /// The file of additional root certificates cannot be used.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The value of the variable is not the URL of a proxy. It is not shown, because it can contain
    /// a password.
    #[error("the environment variable `{0}` holds no URL of a proxy")]
    Proxy(&'static str),
}

/// An HTTP client for one origin.
#[derive(Debug)]
pub(crate) struct Http<'a> {
    agent: Agent,
    endpoints: Endpoints,
    stages: StageTracker,
    /// The time limit of the first request. It includes the requests that repeat the first one.
    given: Cell<Option<Duration>>,
    /// Whether no TLS is used. This is allowed for loopback only.
    is_plain: bool,
    proxy: Option<Proxy>,
    /// The root certificates. `None` without TLS.
    roots: Option<Roots<'a>>,
}

impl<'a> Http<'a> {
    /// Reads the root certificates (HTTPS only) and sets the proxy. This takes milliseconds, so it
    /// is not called on a cache hit.
    pub(crate) fn new(settings: &HttpSettings, system: &'a System<'a>) -> Result<Self, SetupError> {
        let proxy = match settings.proxies.for_origin(&settings.origin) {
            Some((name, url)) if has_valid_port(url) => {
                Some(Proxy::new(url).map_err(|_| SetupError::Proxy(name))?)
            }
            Some((name, _)) => return Err(SetupError::Proxy(name)),
            None => None,
        };
        let roots = match settings.origin.scheme() {
            Scheme::Http => None,
            Scheme::Https => Some(Roots::read(system, settings.ca_file.as_deref())?),
        };
        let endpoints = Endpoints {
            host: settings.origin.to_string(),
            proxy: proxy
                .as_ref()
                .map(|proxy| format!("the proxy {}:{}", proxy.host(), proxy.port())),
        };
        let stages = StageTracker::default();
        let is_plain = settings.origin.scheme() == Scheme::Http;
        Ok(Self {
            agent: agent(roots.as_ref(), proxy.clone(), &stages, is_plain),
            endpoints,
            stages,
            given: Cell::new(None),
            is_plain,
            proxy,
            roots,
        })
    }

    /// Sends one request and reads the complete response before the deadline.
    pub(in crate::oauth) fn send(
        &self,
        request: &HttpRequest,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<Reply, Box<TransportError>> {
        self.ask(clock, deadline, |agent, limit| {
            let url = HttpUri::from_maybe_shared(wiped(&request.url));
            let mut builder = match url {
                Ok(url) => agent.post(url),
                // ureq rejects this URL with its own error.
                Err(_) => agent.post(request.url.as_str()),
            };
            if let Some(authorization) = &request.authorization {
                builder = builder.header("Authorization", self.header(authorization)?);
            }
            if let Some(content_type) = request.content_type {
                builder = builder.header("Content-Type", content_type);
            }
            Ok(bounded(builder, limit).send(request.body.as_bytes()))
        })
    }

    /// Sends a GET to `url` and reads the complete response before the deadline. The URL must be of
    /// this origin, because the token is sent to it.
    pub(in crate::oauth) fn get(
        &self,
        url: &Uri,
        token: Option<&AccessToken>,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<Reply, Box<TransportError>> {
        self.ask(clock, deadline, |agent, limit| {
            let mut builder = agent.get(url.to_string());
            if let Some(token) = token {
                let bearer = joined(&["Bearer ", token.expose()]);
                builder = builder.header("Authorization", self.header(&bearer)?);
            }
            Ok(bounded(builder, limit).call())
        })
    }

    /// The name and port of the proxy, if one is used.
    pub(crate) fn proxy(&self) -> Option<(&str, u16)> {
        self.proxy
            .as_ref()
            .map(|proxy| (proxy.host(), proxy.port()))
    }

    /// The trusted root certificates, if TLS is used.
    pub(crate) fn roots(&self) -> Option<&Roots<'a>> {
        self.roots.as_ref()
    }

    /// Sends one request and reads its response.
    fn ask(
        &self,
        clock: &dyn Clock,
        deadline: Deadline,
        request: impl Fn(
            &Agent,
            Duration,
        ) -> Result<Result<Response<Body>, ureq::Error>, Box<TransportError>>,
    ) -> Result<Reply, Box<TransportError>> {
        let limit = deadline.remaining(clock);
        if self.given.get().is_none() {
            self.given.set(Some(limit));
        }
        // No connector is called for a reused connection.
        self.stages.set(Stage::Exchange);
        if limit.is_zero() {
            return Err(self.error(Stage::Exchange, TransportCause::NoTimeLeft));
        }
        let sent = request(&self.agent, limit)?;
        self.reply(sent, limit)
    }

    fn reply(
        &self,
        sent: Result<Response<Body>, ureq::Error>,
        limit: Duration,
    ) -> Result<Reply, Box<TransportError>> {
        let response = sent.map_err(|error| self.failure(error, limit))?;
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let (location, date) = (header("location"), header("date"));
        let retry_after = header("retry-after");
        let replenish_time = header("x-ratelimit-replenish-time");
        let replenish_rate = header("x-ratelimit-replenish-rate");
        let encoding = header("content-encoding")
            .filter(|encoding| !["", "identity"].contains(&&*encoding.trim().to_ascii_lowercase()));
        let requests_left = header("x-ratelimit-remaining");
        let status = response.status().as_u16();
        // The capacity is for the longest token: a buffer that grows leaves copies in memory.
        let mut body = Zeroizing::new(Vec::with_capacity(32 * 1024));
        let config = response.into_body().into_with_config();
        let read = config.limit(LARGEST_ANSWER).reader().read_to_end(&mut body);
        read.map_err(|error| self.failure(error.into(), limit))?;
        Ok(Reply {
            answer: Answer {
                status,
                retry_after,
                replenish_time,
                replenish_rate,
                date,
                encoding,
                body,
            },
            location,
            requests_left,
        })
    }

    fn failure(&self, error: ureq::Error, limit: Duration) -> Box<TransportError> {
        let stage = self.stages.stage();
        let cause = match error {
            // If the caller's time limit was shorter, the timeout does not show a failure of the
            // server.
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) if limit >= CONNECT_LIMIT => {
                TransportCause::Timeout(CONNECT_LIMIT)
            }
            // A repeated request has less time. The caller's time limit is that of the first
            // request.
            ureq::Error::Timeout(_) => {
                TransportCause::DeadlineExceeded(self.given.get().unwrap_or(limit).max(limit))
            }
            ureq::Error::Io(error) => return self.io_error(stage, error),
            ureq::Error::HostNotFound => {
                return self.io_error(Stage::LookUp, io::ErrorKind::AddrNotAvailable.into());
            }
            ureq::Error::ConnectionFailed => {
                return self.io_error(Stage::Connect, io::ErrorKind::NotConnected.into());
            }
            ureq::Error::Rustls(error) => return self.tls_error(stage, error),
            ureq::Error::ConnectProxyFailed(text) => TransportCause::ProxyStatus(
                text.split(|c: char| !c.is_ascii_digit())
                    .find(|number| number.len() == 3)
                    .and_then(|status| status.parse().ok()),
            ),
            ureq::Error::BodyExceedsLimit(_) => TransportCause::LargeBody,
            ureq::Error::LargeResponseHeader(..) => TransportCause::LargeHeader,
            // The type of this error is not exported by ureq.
            ureq::Error::Protocol(error) if error.to_string().contains("too many headers") => {
                TransportCause::LargeHeader
            }
            ureq::Error::Protocol(_) | ureq::Error::Http(_) => TransportCause::NotHttp {
                is_plain: self.is_plain,
            },
            _ => TransportCause::Unsendable,
        };
        self.error(stage, cause)
    }

    /// Creates an error of this connection.
    pub(crate) fn error(&self, stage: Stage, cause: TransportCause) -> Box<TransportError> {
        Box::new(TransportError {
            endpoints: self.endpoints.clone(),
            stage,
            cause,
        })
    }

    /// Converts an I/O error of this connection. It may contain a TLS error.
    pub(crate) fn io_error(&self, stage: Stage, error: io::Error) -> Box<TransportError> {
        match tls_error(&error) {
            Some(tls) => self.tls_error(stage, tls.clone()),
            None => self.error(stage, TransportCause::Io(Arc::new(error))),
        }
    }

    /// Converts a TLS error of this connection.
    pub(crate) fn tls_error(&self, stage: Stage, error: rustls::Error) -> Box<TransportError> {
        let problem = self.roots.as_ref().and_then(Roots::problem);
        let roots_problem = problem.map(str::to_owned);
        self.error(
            stage,
            TransportCause::Tls {
                error,
                roots_problem,
            },
        )
    }

    /// Creates a header value that must not be shown.
    fn header(&self, text: &Zeroizing<String>) -> Result<HeaderValue, Box<TransportError>> {
        let value = HeaderValue::from_maybe_shared(wiped(text));
        let mut value = value.map_err(|_| self.error(Stage::Exchange, TransportCause::Header))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Creates a client that trusts these root certificates.
fn agent(
    roots: Option<&Roots<'_>>,
    proxy: Option<Proxy>,
    stages: &StageTracker,
    is_plain: bool,
) -> Agent {
    let roots = roots.into_iter().flat_map(Roots::certificates);
    let roots = roots.map(|der| Certificate::from_der(der).to_owned());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .proxy(proxy)
        .tls_config(tls)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .user_agent(concat!("cloudconnexa-auth/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .accept_encoding("identity")
        .build();
    agent_with(config, stages, is_plain)
}

/// Converts a text to bytes that the library shares instead of copying. They are wiped when the
/// last reference is dropped.
fn wiped(text: &Zeroizing<String>) -> Bytes {
    Bytes::from_owner(Zeroizing::new(text.as_bytes().to_vec()))
}

/// Sets the time limit of a request.
fn bounded<B>(builder: RequestBuilder<B>, limit: Duration) -> RequestBuilder<B> {
    builder
        .config()
        .timeout_global(Some(limit))
        .timeout_resolve(Some(CONNECT_LIMIT.min(limit)))
        .timeout_connect(Some(CONNECT_LIMIT.min(limit)))
        .build()
}

/// The parts of a response that are used.
pub(in crate::oauth) struct Answer {
    pub(in crate::oauth) status: u16,
    pub(in crate::oauth) retry_after: Option<String>,
    pub(in crate::oauth) replenish_time: Option<String>,
    pub(in crate::oauth) replenish_rate: Option<String>,
    pub(in crate::oauth) date: Option<String>,
    /// The `Content-Encoding` of a body that is compressed although `identity` was requested.
    pub(in crate::oauth) encoding: Option<String>,
    pub(in crate::oauth) body: Zeroizing<Vec<u8>>,
}

/// A response with its `Location` and other header fields.
pub(in crate::oauth) struct Reply {
    pub(in crate::oauth) answer: Answer,
    pub(in crate::oauth) location: Option<String>,
    pub(in crate::oauth) requests_left: Option<String>,
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
