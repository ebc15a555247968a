//! All uses of ureq's `unversioned` API, which may change in a minor version: the chain of
//! connectors, and the name lookup. An error of ureq does not contain the step that failed, so each
//! step is recorded in a [`StageTracker`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Instant;
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, Either, NextTimeout, RustlsConnector,
    SocksConnector, TcpConnector, Transport,
};

use super::happy_eyeballs::dial;
use super::transport_error::Stage;
use crate::system::resolver;

/// Creates ureq's client with our connectors and our name lookup.
pub(super) fn agent_with(config: Config, stages: &StageTracker, is_plain: bool) -> Agent {
    let has_proxy = config.proxy().is_some();
    let names = NameLookup {
        stages: stages.clone(),
        is_plain,
    };
    Agent::with_parts(config, connectors(stages, has_proxy), names)
}

/// The step that the current request has reached.
#[derive(Debug, Clone, Default)]
pub(super) struct StageTracker(Arc<AtomicU8>);

impl StageTracker {
    pub(super) const STAGES: [Stage; 5] = [
        Stage::LookUp,
        Stage::Connect,
        Stage::Tunnel,
        Stage::Handshake,
        Stage::Exchange,
    ];

    pub(super) fn set(&self, stage: Stage) {
        let place = Self::STAGES.iter().position(|it| *it == stage);
        let place = place.and_then(|place| u8::try_from(place).ok());
        self.0.store(place.unwrap_or_default(), Ordering::Relaxed);
    }

    pub(super) fn stage(&self) -> Stage {
        let place = usize::from(self.0.load(Ordering::Relaxed));
        Self::STAGES.get(place).copied().unwrap_or(Stage::Exchange)
    }
}

/// ureq's chain of connectors, which records a stage between them. A reused connection does not
/// call any of them.
fn connectors(stages: &StageTracker, has_proxy: bool) -> impl Connector<(), Out = impl Transport> {
    let record = |stage| StageConnector {
        stages: stages.clone(),
        has_proxy,
        stage,
    };
    ().chain(record(Stage::Connect))
        .chain(SocksConnector::default())
        .chain(ConnectProxyConnector::default())
        .chain(Dial)
        .chain(record(Stage::Handshake))
        .chain(RustlsConnector::default())
        .chain(record(Stage::Exchange))
}

/// Opens a TCP connection unless a proxy connector has opened one.
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

/// Connects to one address with ureq's own connector. A thread can call this.
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

/// Returns the given connection unchanged and records the next stage.
#[derive(Debug)]
struct StageConnector {
    stages: StageTracker,
    has_proxy: bool,
    stage: Stage,
}

impl<In: Transport> Connector<In> for StageConnector {
    type Out = In;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<In>, ureq::Error> {
        // ureq also calls the chain to connect to an HTTP proxy. That configuration has no proxy.
        let is_to_proxy = self.has_proxy && details.config.proxy().is_none();
        self.stages.set(match self.stage {
            Stage::Connect => Stage::Connect,
            _ if is_to_proxy => Stage::Tunnel,
            stage => stage,
        });
        Ok(chained)
    }
}

/// Looks up the name of the server or of the proxy.
#[derive(Debug)]
struct NameLookup {
    stages: StageTracker,
    /// Whether no TLS is used. Then every address must be a loopback address, and no proxy is used.
    is_plain: bool,
}

impl Resolver for NameLookup {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        _: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let timed_out = || ureq::Error::Timeout(timeout.reason);
        let limit = timeout.not_zero().ok_or_else(timed_out)?;
        let host = uri.scheme().zip(uri.authority());
        let host = host.and_then(|(scheme, host)| DefaultResolver::host_and_port(scheme, host));
        let host = host.as_deref().and_then(|text| text.rsplit_once(':'));
        let (name, port) = host.ok_or(ureq::Error::HostNotFound)?;
        let port = port.parse().map_err(|_| ureq::Error::HostNotFound)?;
        // The name of the server is looked up before the chain is called, the name of a proxy
        // inside the chain.
        let before = self.stages.stage();
        self.stages.set(Stage::LookUp);
        let found = resolver::resolve(name, port, *limit).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => timed_out(),
            _ => ureq::Error::Io(error),
        })?;
        if self.is_plain {
            resolver::require_loopback(&found)?;
        }
        self.stages.set(before);
        let mut addresses = self.empty();
        // The array holds at most 16 addresses.
        for address in found.into_iter().take(16) {
            addresses.push(address);
        }
        Ok(addresses)
    }
}
