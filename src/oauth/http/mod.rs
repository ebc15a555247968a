//! HTTP to the token endpoint (and to the API, for `doctor` and `login`), under this program's rules
//! instead of ureq's defaults: no redirect
//! is followed here, every status is an answer, time and size are bounded, the system's roots are
//! trusted, and no error text of the library reaches a message (it could hold the URL).
//!
//! This is the only room that names ureq.

use std::cell::RefCell;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use thiserror::Error;
use ureq::config::Config;
use ureq::http::{HeaderValue, Response, Uri as HttpUri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Instant;
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, RustlsConnector,
    SocksConnector, TcpConnector, Transport,
};
use ureq::{Agent, Body, Proxy, RequestBuilder, Timeout};
use zeroize::Zeroizing;

use super::dial::dial;
use super::failure::Failure;
use super::proxy::{Proxies, has_valid_port};
use super::request::Composed;
use super::response::{Answer, read_pause, replenish_interval};
use super::trouble::{Ends, Stage};
use crate::clock::{Clock, Deadline};
use crate::roots::{Roots, RootsError, System, tls_error};
use crate::secret::joined;
use crate::token::AccessToken;
use crate::uri::{Origin, Scheme, Uri};

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: u64 = 1024 * 1024;

/// How long the name look-up may take, and then again TCP, proxy and TLS together.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What a profile and the environment say about the way to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpSettings {
    /// Where the requests go.
    pub(crate) origin: Origin,
    /// Further root certificates, PEM.
    pub(crate) ca_file: Option<PathBuf>,
    /// The proxy settings.
    pub(crate) proxies: Proxies,
}

/// Settings with which no request can be made. Mend them; a retry does not help.
#[derive(Debug, Error)]
pub(crate) enum SetupError {
    /// The file of further root certificates is of no use.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// The variable holds no URL of a proxy. The value is not shown: it can hold a password.
    #[error("the environment variable `{0}` holds no URL of a proxy")]
    Proxy(&'static str),
}

/// A way to one origin.
#[derive(Debug)]
pub(crate) struct Http<'a> {
    /// With the roots that count as of now.
    agent: RefCell<Agent>,
    ends: Ends,
    reached: Reached,
    /// Whether no TLS is spoken, which is for loopback only.
    is_plain: bool,
    proxy: Option<Proxy>,
    /// None where no TLS is spoken.
    roots: Option<Roots<'a>>,
}

impl<'a> Http<'a> {
    /// Reads the root certificates (HTTPS only) and sets the proxy. Cold path only: it takes
    /// milliseconds.
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
        let ends = Ends {
            host: settings.origin.to_string(),
            proxy: proxy
                .as_ref()
                .map(|proxy| format!("the proxy {}:{}", proxy.host(), proxy.port())),
        };
        let reached = Reached::default();
        Ok(Self {
            agent: RefCell::new(agent(roots.as_ref(), proxy.clone(), &reached)),
            ends,
            reached,
            is_plain: settings.origin.scheme() == Scheme::Http,
            proxy,
            roots,
        })
    }

    /// Sends one request and reads the whole answer, both by the deadline.
    pub(super) fn send(
        &self,
        request: &Composed,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<Reply, Failure> {
        self.ask(clock, deadline, |agent, limit| {
            let url = HttpUri::from_maybe_shared(wiped(&request.url));
            let mut builder = match url {
                Ok(url) => agent.post(url),
                // Refused there in the library's words.
                Err(_) => agent.post(request.url.as_str()),
            };
            if let Some(authorization) = &request.authorization {
                builder = builder.header("Authorization", header(authorization)?);
            }
            if let Some(content_type) = request.content_type {
                builder = builder.header("Content-Type", content_type);
            }
            Ok(bounded(builder, limit).send(request.body.as_bytes()))
        })
    }

    /// Asks for `url`, which has to be of this origin, and reads the whole answer by the deadline.
    /// Whoever gives a token gives it to this origin.
    pub(crate) fn look(
        &self,
        url: &Uri,
        token: Option<&AccessToken>,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<Seen, Failure> {
        let reply = self.ask(clock, deadline, |agent, limit| {
            let mut builder = agent.get(url.to_string());
            if let Some(token) = token {
                let bearer = joined(&["Bearer ", token.expose()]);
                builder = builder.header("Authorization", header(&bearer)?);
            }
            Ok(bounded(builder, limit).call())
        })?;
        Ok(Seen {
            status: reply.answer.status,
            date: reply.date,
            requests_left: reply.requests_left,
            next_request_in: replenish_interval(&reply.answer),
            pause: read_pause(&reply.answer, clock.now()),
            encoding: reply.answer.encoding,
            location: reply.location,
            body: reply.answer.body,
        })
    }

    /// The proxy's name and port, where one is taken.
    pub(crate) fn proxy(&self) -> Option<(&str, u16)> {
        self.proxy
            .as_ref()
            .map(|proxy| (proxy.host(), proxy.port()))
    }

    /// Whom to trust, where TLS is spoken.
    pub(crate) fn roots(&self) -> Option<&Roots<'a>> {
        self.roots.as_ref()
    }

    /// One request, made once more where it ended in the handshake, that is before any of it was sent,
    /// and there are more roots to trust than at first.
    fn ask(
        &self,
        clock: &dyn Clock,
        deadline: Deadline,
        request: impl Fn(&Agent, Duration) -> Result<Result<Response<Body>, ureq::Error>, Failure>,
    ) -> Result<Reply, Failure> {
        let once = || {
            let limit = deadline.remaining(clock);
            // There may be a kept connection, of which nobody notes anything.
            self.reached.set(Stage::Exchange);
            check_time(limit)?;
            let sent = request(&self.agent.borrow(), limit)?;
            Ok((sent, limit))
        };
        let (sent, limit) = once()?;
        let is_unsent = self.reached.stage() != Stage::Exchange;
        match sent.as_ref().map_err(said_by_tls) {
            Err(Some(error)) if is_unsent && self.reach_further(error) => {
                let (sent, limit) = once()?;
                self.reply(sent, limit)
            }
            _ => self.reply(sent, limit),
        }
    }

    /// Whether there are more roots to trust since a handshake ended with `error`.
    pub(super) fn reach_further(&self, error: &rustls::Error) -> bool {
        let Some(roots) = self.roots.as_ref().filter(|it| it.reach_further(error)) else {
            return false;
        };
        let wider = agent(Some(roots), self.proxy.clone(), &self.reached);
        self.agent.replace(wider);
        true
    }

    fn reply(
        &self,
        sent: Result<Response<Body>, ureq::Error>,
        limit: Duration,
    ) -> Result<Reply, Failure> {
        let response = sent.map_err(|error| self.failure(&error, limit))?;
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
        // Room for the longest token: what grows leaves copies behind.
        let mut body = Zeroizing::new(Vec::with_capacity(32 * 1024));
        let config = response.into_body().into_with_config();
        let read = config.limit(LARGEST_ANSWER).reader().read_to_end(&mut body);
        read.map_err(|error| self.failure(&error.into(), limit))?;
        Ok(Reply {
            answer: Answer {
                status,
                retry_after,
                replenish_time,
                replenish_rate,
                encoding,
                body,
            },
            location,
            date,
            requests_left,
        })
    }

    fn failure(&self, error: &ureq::Error, limit: Duration) -> Failure {
        let unusable = |reason: &str| Failure::Unusable {
            reason: reason.to_owned(),
            detail: None,
            hint: None,
        };
        let stage = self.reached.stage();
        match error {
            // Where the caller's own time was shorter, it says nothing of the server.
            ureq::Error::Timeout(Timeout::Connect | Timeout::Resolve) if limit >= CONNECT_LIMIT => {
                Failure::Unavailable {
                    reason: self.ends.unfinished(stage, CONNECT_LIMIT),
                    detail: None,
                }
            }
            ureq::Error::Timeout(_) => self.timed_out(stage, limit),
            ureq::Error::Io(io) => match tls_error(io) {
                Some(tls) => self.tls_failure(stage, tls),
                None => self.io_failure(stage, io),
            },
            ureq::Error::HostNotFound => self.io_failure(
                Stage::LookUp,
                &io::Error::from(io::ErrorKind::AddrNotAvailable),
            ),
            ureq::Error::ConnectionFailed => self.io_failure(
                Stage::Connect,
                &io::Error::from(io::ErrorKind::NotConnected),
            ),
            ureq::Error::Rustls(tls) => self.tls_failure(stage, tls),
            ureq::Error::ConnectProxyFailed(said) => self.ends.refused_by_proxy(
                said.split(|c: char| !c.is_ascii_digit())
                    .find(|number| number.len() == 3)
                    .and_then(|status| status.parse().ok()),
            ),
            ureq::Error::BodyExceedsLimit(_) => unusable("the answer is larger than 1 MiB"),
            ureq::Error::LargeResponseHeader(..) => self.ends.large_header(stage),
            // Its type is of a crate that is not ours to name.
            ureq::Error::Protocol(error) if error.to_string().contains("too many headers") => {
                self.ends.large_header(stage)
            }
            ureq::Error::Protocol(_) | ureq::Error::Http(_) => {
                self.ends.no_http(stage, self.is_plain)
            }
            _ => unusable("the request could not be made"),
        }
    }

    pub(super) fn timed_out(&self, stage: Stage, limit: Duration) -> Failure {
        Failure::TimedOut {
            reason: self.ends.unfinished(stage, limit),
        }
    }

    pub(super) fn io_failure(&self, stage: Stage, error: &io::Error) -> Failure {
        self.ends.io(stage, error)
    }

    pub(super) fn tls_failure(&self, stage: Stage, error: &rustls::Error) -> Failure {
        let problem = self.roots.as_ref().and_then(Roots::problem);
        self.ends.tls(stage, error, problem)
    }
}

/// A client that trusts these, and notes how far it comes.
fn agent(roots: Option<&Roots<'_>>, proxy: Option<Proxy>, reached: &Reached) -> Agent {
    let roots = roots.into_iter().flat_map(Roots::certificates);
    let roots = roots.map(|der| Certificate::from_der(der).to_owned());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots.collect())))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let has_proxy = proxy.is_some();
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
    let resolving = Resolving {
        reached: reached.clone(),
        inner: DefaultResolver::default(),
    };
    Agent::with_parts(config, connector(reached, has_proxy), resolving)
}

/// What TLS itself says, where it was that.
fn said_by_tls(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Io(io) => tls_error(io),
        ureq::Error::Rustls(tls) => Some(tls),
        _ => None,
    }
}

/// How far the request under way has come, for ureq's errors do not tell.
#[derive(Debug, Clone, Default)]
struct Reached(Arc<AtomicU8>);

impl Reached {
    const STAGES: [Stage; 5] = [
        Stage::LookUp,
        Stage::Connect,
        Stage::Tunnel,
        Stage::Handshake,
        Stage::Exchange,
    ];

    fn set(&self, stage: Stage) {
        let place = Self::STAGES.iter().position(|it| *it == stage);
        let place = place.and_then(|place| u8::try_from(place).ok());
        self.0.store(place.unwrap_or_default(), Ordering::Relaxed);
    }

    fn stage(&self) -> Stage {
        let place = usize::from(self.0.load(Ordering::Relaxed));
        Self::STAGES.get(place).copied().unwrap_or(Stage::Exchange)
    }
}

/// ureq's chain of connectors, and between its links a note of how far it came. Where a kept connection
/// is taken, none of them is run.
fn connector(reached: &Reached, has_proxy: bool) -> impl Connector<(), Out = impl Transport> {
    let note = |stage| Note {
        reached: reached.clone(),
        has_proxy,
        stage,
    };
    ().chain(note(Stage::Connect))
        .chain(SocksConnector::default())
        .chain(ConnectProxyConnector::default())
        .chain(Dial)
        .chain(note(Stage::Handshake))
        .chain(RustlsConnector::default())
        .chain(note(Stage::Exchange))
}

/// The link that makes a connection, where a proxy has not made one.
#[derive(Debug)]
struct Dial;

impl<In: Transport> Connector<In> for Dial {
    type Out = Either<In, <TcpConnector as Connector<()>>::Out>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let timed_out = || ureq::Error::Timeout(details.timeout.reason);
        let limit = details.timeout.not_zero().ok_or_else(timed_out)?;
        let now = || match (details.current_time)() {
            Instant::Exact(now) => Some(now),
            _ => None,
        };
        let start = now();
        let elapsed = || Some(now()?.saturating_duration_since(start?));
        let left = || limit.saturating_sub(elapsed().unwrap_or_default());
        let made = dial(&details.addrs, left, connect_to(details));
        let made = made.map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => timed_out(),
            _ => ureq::Error::Io(error),
        })?;
        Ok(made.map(Either::B))
    }
}

/// ureq's own connection to a single address, as it is made in a thread.
fn connect_to(
    details: &ConnectionDetails<'_>,
) -> impl Fn(SocketAddr, Duration) -> io::Result<Option<<TcpConnector as Connector<()>>::Out>>
+ Clone
+ Send
+ use<> {
    let (uri, config) = (details.uri.clone(), details.config.clone());
    let (now, timeout) = (details.now, details.timeout);
    let current_time = Arc::clone(&details.current_time);
    let run_connector = Arc::clone(&details.run_connector);
    let register_shutdown = Arc::clone(&details.register_shutdown);
    let request_level = details.request_level;
    move |address, limit| {
        let resolver = DefaultResolver::default();
        let mut addrs = resolver.empty();
        addrs.push(address);
        let single = ConnectionDetails {
            uri: &uri,
            addrs,
            config: &config,
            request_level,
            resolver: &resolver,
            now,
            timeout: NextTimeout {
                after: limit.into(),
                ..timeout
            },
            current_time: Arc::clone(&current_time),
            run_connector: Arc::clone(&run_connector),
            register_shutdown: Arc::clone(&register_shutdown),
        };
        TcpConnector::default()
            .connect(&single, None::<()>)
            .map_err(|error| match error {
                ureq::Error::Timeout(_) => io::ErrorKind::TimedOut.into(),
                error => error.into_io(),
            })
    }
}

/// A link that passes on what it is given, and notes what follows.
#[derive(Debug)]
struct Note {
    reached: Reached,
    has_proxy: bool,
    stage: Stage,
}

impl<In: Transport> Connector<In> for Note {
    type Out = In;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<In>, ureq::Error> {
        // ureq runs the chain for an HTTP proxy itself too, with a configuration that has none.
        let is_to_proxy = self.has_proxy && details.config.proxy().is_none();
        self.reached.set(match self.stage {
            Stage::Connect => Stage::Connect,
            _ if is_to_proxy => Stage::Tunnel,
            stage => stage,
        });
        Ok(chained)
    }
}

/// ureq's look-up, with the same notes.
#[derive(Debug)]
struct Resolving {
    reached: Reached,
    inner: DefaultResolver,
}

impl Resolver for Resolving {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        // The server's own name comes before the chain, a proxy's inside of it.
        let before = self.reached.stage();
        self.reached.set(Stage::LookUp);
        let found = self.inner.resolve(uri, config, timeout)?;
        self.reached.set(before);
        Ok(found)
    }
}

/// A text that the library shares instead of copying it, and that is wiped when the last of its
/// holders is dropped.
fn wiped(text: &Zeroizing<String>) -> Bytes {
    Bytes::from_owner(Zeroizing::new(text.as_bytes().to_vec()))
}

/// The value of a header that nobody may see.
fn header(text: &Zeroizing<String>) -> Result<HeaderValue, Failure> {
    let value = HeaderValue::from_maybe_shared(wiped(text));
    let mut value = value.map_err(|_| Failure::Unusable {
        reason: "the credentials cannot be put into a header".to_owned(),
        detail: None,
        hint: None,
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn check_time(limit: Duration) -> Result<(), Failure> {
    if limit.is_zero() {
        return Err(Failure::TimedOut {
            reason: "no time was left for a request".to_owned(),
        });
    }
    Ok(())
}

/// A request that ends within `limit`.
fn bounded<B>(builder: RequestBuilder<B>, limit: Duration) -> RequestBuilder<B> {
    builder
        .config()
        .timeout_global(Some(limit))
        .timeout_resolve(Some(CONNECT_LIMIT.min(limit)))
        .timeout_connect(Some(CONNECT_LIMIT.min(limit)))
        .build()
}

/// An answer, where it points if it is a redirect, and what else its header says.
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) location: Option<String>,
    pub(super) date: Option<String>,
    pub(super) requests_left: Option<String>,
}

/// What a look at the server brought. None of it is trusted, and none of it quoted.
pub(crate) struct Seen {
    /// The HTTP status.
    pub(crate) status: u16,
    /// `Date`.
    pub(crate) date: Option<String>,
    /// `X-RateLimit-Remaining`.
    pub(crate) requests_left: Option<String>,
    /// The time after which the rate limit allows one more request.
    pub(crate) next_request_in: Option<Duration>,
    /// How long a 429 asks to wait.
    pub(crate) pause: Option<Duration>,
    /// The `Content-Encoding` of a compressed body.
    pub(crate) encoding: Option<String>,
    /// `Location`.
    pub(crate) location: Option<String>,
    /// The body, at most 1 MiB.
    pub(crate) body: Zeroizing<Vec<u8>>,
}

#[cfg(test)]
mod tests;
