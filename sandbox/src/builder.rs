//! Settings of a sandbox before it starts.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::credential::CredentialSpec;
use crate::fault::{Fault, Faults};
use crate::form::Form;
use crate::rate::RateLimit;
use crate::record::{Log, Recorded};
use crate::sandbox::Sandbox;
use crate::tenant::{Settings, TokenPath};
use crate::tls::Certificate;

/// By default: HTTPS on a free port of 127.0.0.1, one credential with both permissions, the vendor's limits.
#[must_use = "a builder starts nothing until `start`"]
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
            certificate: Some(Certificate::Right),
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
    /// HTTPS with a certificate that is all right.
    pub fn https(self) -> Self {
        self.certificate(Certificate::Right)
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

    /// The address to listen on; port 0 takes a free one.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The cloud's name, the last part of every client ID. Default: `sandbox`.
    pub fn cloud_id(mut self, cloud_id: &str) -> Self {
        cloud_id.clone_into(&mut self.settings.cloud_id);
        self
    }

    /// How long tokens live, in whole seconds. Default: 43199 s.
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.settings.token_lifetime = Duration::from_secs(lifetime.as_secs());
        self
    }

    /// The limit of each credential. Default: 20 at once, then one per 15 s.
    pub fn rate_limit(mut self, burst: u32, replenish: Duration) -> Self {
        self.settings.rate_limit = Some(RateLimit { burst, replenish });
        self
    }

    /// No limit, and none of its headers.
    pub fn no_rate_limit(mut self) -> Self {
        self.settings.rate_limit = None;
        self
    }

    /// A credential to start with. The first call replaces the default one, further calls add.
    pub fn credential(mut self, spec: CredentialSpec) -> Self {
        self.credentials.push(spec);
        self
    }

    /// The Enable API switch. Default: on.
    pub fn api_enabled(mut self, is_enabled: bool) -> Self {
        self.settings.is_api_enabled = is_enabled;
        self
    }

    /// The only request forms the token endpoint knows. Default: all.
    pub fn accept(mut self, forms: &[Form]) -> Self {
        self.settings.accepted = forms.to_vec();
        self
    }

    /// The only token paths that exist; another is 404. Default: both.
    pub fn token_paths(mut self, paths: &[TokenPath]) -> Self {
        self.settings.token_paths = paths.to_vec();
        self
    }

    /// A fault of every token request; see [`Sandbox::always`].
    pub fn always(mut self, fault: Fault) -> Self {
        self.faults.stand(fault);
        self
    }

    /// A fault of one token request; several happen in order.
    pub fn next(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Called for each request once its answer is known, on the sandbox's thread.
    pub fn log(mut self, log: impl Fn(&Recorded) + Send + Sync + 'static) -> Self {
        self.log = Some(Box::new(log));
        self
    }

    /// Starts the sandbox on a thread of its own; it listens when this returns.
    ///
    /// # Panics
    ///
    /// Where [`Builder::try_start`] fails.
    #[track_caller]
    pub fn start(self) -> Sandbox {
        self.try_start().expect("a sandbox can listen on loopback")
    }

    /// Starts the sandbox, or says why it cannot listen.
    pub fn try_start(self) -> io::Result<Sandbox> {
        Sandbox::from_builder(self)
    }
}
