//! The settings of a sandbox.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::credential::CredentialSpec;
use crate::fault::{Fault, Faults};
use crate::rate_limit::RateLimit;
use crate::record::{Log, RecordedRequest};
use crate::sandbox::Sandbox;
use crate::tenant::{Settings, TokenPath};
use crate::tls::Certificate;
use crate::token_request::Form;

/// By default: HTTPS on a free port of 127.0.0.1, one credential with both permissions, the vendor's limits.
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    pub(crate) listen: SocketAddr,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) settings: Settings,
    pub(crate) credentials: Vec<CredentialSpec>,
    pub(crate) faults: Faults,
    pub(crate) log: Option<Log>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            certificate: Some(Certificate::Valid),
            settings: Settings::default(),
            credentials: Vec::new(),
            faults: Faults::default(),
            log: None,
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("listen", &self.listen)
            .field("certificate", &self.certificate)
            .field("settings", &self.settings)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// HTTPS with a valid certificate.
    pub fn https(self) -> Self {
        self.certificate(Certificate::Valid)
    }

    /// Plain HTTP.
    pub fn http(mut self) -> Self {
        self.certificate = None;
        self
    }

    /// HTTPS with this certificate.
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// The address to listen on; port 0 selects a free port.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The Cloud ID, the last part of every client ID. Default: `sandbox`.
    pub fn cloud_id(mut self, cloud_id: &str) -> Self {
        cloud_id.clone_into(&mut self.settings.cloud_id);
        self
    }

    /// The lifetime of tokens, in whole seconds. Default: 43199 s.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.token_lifetime = Duration::from_secs(lifetime.as_secs());
        self
    }

    /// The limit of each credential: `burst` at once, then one per `replenish_time`. Default: 20, 15 s.
    pub fn rate_limit(self, burst: u32, replenish_time: Duration) -> Self {
        self.rate_limit_of(RateLimit {
            burst,
            replenish_time,
            ..RateLimit::default()
        })
    }

    /// The limit of each credential, with a replenish rate other than 1.
    pub fn rate_limit_of(mut self, limit: RateLimit) -> Self {
        self.settings.rate_limit = Some(limit);
        self
    }

    /// No rate limit and no rate-limit headers.
    pub fn no_rate_limit(mut self) -> Self {
        self.settings.rate_limit = None;
        self
    }

    /// Adds a credential. The first call replaces the default credential.
    pub fn credential(mut self, spec: CredentialSpec) -> Self {
        self.credentials.push(spec);
        self
    }

    /// The Enable API switch. Default: on.
    pub fn api_enabled(mut self, is_enabled: bool) -> Self {
        self.settings.is_api_enabled = is_enabled;
        self
    }

    /// The request forms that the token endpoint accepts. Default: all.
    pub fn accept(mut self, forms: &[Form]) -> Self {
        self.settings.accepted = forms.to_vec();
        self
    }

    /// The token paths that exist. Default: both.
    pub fn token_paths(mut self, paths: &[TokenPath]) -> Self {
        self.settings.token_paths = paths.to_vec();
        self
    }

    /// A fault of all token requests; see [`Sandbox::always`].
    pub fn always(mut self, fault: Fault) -> Self {
        self.faults.set_standing(fault);
        self
    }

    /// A fault of one token request; several calls make a queue.
    pub fn next(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// A function that is called for each request when its response is known, on the sandbox's thread.
    pub fn log(mut self, log: impl Fn(&RecordedRequest) + Send + Sync + 'static) -> Self {
        self.log = Some(Box::new(log));
        self
    }

    /// Starts the sandbox on its own thread; it listens when this returns.
    ///
    /// # Panics
    ///
    /// If [`Builder::try_start`] fails.
    #[track_caller]
    pub fn start(self) -> Sandbox {
        self.try_start().expect("a sandbox can listen on loopback")
    }

    /// Starts the sandbox; fails if it cannot listen on the address.
    pub fn try_start(self) -> io::Result<Sandbox> {
        Sandbox::from_builder(self)
    }
}
