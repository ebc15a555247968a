//! A running sandbox, as a test holds it.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::builder::Builder;
use crate::credential::{Credential, CredentialSpec};
use crate::fault::Fault;
use crate::form::Form;
use crate::gate::{Gate, Hold};
use crate::record::{Recorded, Records};
use crate::serve::serve;
use crate::tenant::Tenant;
use crate::tls::Identity;
use crate::world::World;

/// Listens from start to drop. Every function takes effect for the next request.
///
/// # Panics
///
/// Functions that take a `client_id` panic where no such credential exists: that is a mistake in the test.
pub struct Sandbox {
    world: Arc<World>,
    address: SocketAddr,
    base_url: String,
    cloud_id: String,
    ca_pem: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Settings to change before the start.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A sandbox with the default settings.
    #[track_caller]
    pub fn start() -> Self {
        Self::builder().start()
    }

    pub(crate) fn from_builder(builder: Builder) -> io::Result<Self> {
        let Builder {
            listen,
            certificate,
            settings,
            mut credentials,
            faults,
            log,
        } = builder;
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let cloud_id = settings.cloud_id.clone();
        let identity = certificate.map(|certificate| Identity::make(certificate, &cloud_id));
        let scheme = if identity.is_some() { "https" } else { "http" };

        if credentials.is_empty() {
            credentials.push(CredentialSpec::default());
        }
        let mut tenant = Tenant::new(settings);
        for spec in &credentials {
            tenant.add(spec, OffsetDateTime::now_utc());
        }
        let world = Arc::new(World::new(tenant, faults, Records::new(log)));

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let tls = identity
            .as_ref()
            .map(|identity| TlsAcceptor::from(Arc::clone(&identity.config)));
        let served = Arc::clone(&world);
        let listener = runtime.block_on(async { tokio::net::TcpListener::from_std(listener) })?;
        let thread = std::thread::Builder::new()
            .name("cloudconnexa-sandbox".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(listener, tls, served) => {}
                        _ = stopped => {}
                    }
                });
            })?;
        Ok(Self {
            world,
            address,
            base_url: format!("{scheme}://{address}"),
            cloud_id,
            ca_pem: identity.map(|identity| identity.ca_pem).unwrap_or_default(),
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    // Where it is

    /// `https://127.0.0.1:PORT`, with no slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The cloud's name.
    pub fn cloud_id(&self) -> &str {
        &self.cloud_id
    }

    /// The certificate of its CA; empty where it speaks plain HTTP.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    // Credentials and tokens

    /// The oldest credential, with its present secret.
    #[track_caller]
    pub fn credential(&self) -> Credential {
        self.world
            .tenant()
            .first()
            .expect("no credential is left: all were revoked")
    }

    /// Makes a further credential.
    pub fn add_credential(&self, spec: CredentialSpec) -> Credential {
        self.world.tenant().add(&spec, self.now())
    }

    /// Takes a credential away, and with it every token it got.
    #[track_caller]
    pub fn revoke(&self, client_id: &str) {
        let is_known = self.world.tenant().revoke(client_id);
        assert!(is_known, "no credential `{client_id}`");
    }

    /// Gives a credential a new random secret. Tokens already handed out live on.
    #[track_caller]
    pub fn rotate_secret(&self, client_id: &str) -> Credential {
        let rotated = self.world.tenant().rotate(client_id, None);
        rotated.unwrap_or_else(|| panic!("no credential `{client_id}`"))
    }

    /// Gives a credential this secret. Tokens already handed out live on.
    #[track_caller]
    pub fn set_secret(&self, client_id: &str, secret: &str) -> Credential {
        let rotated = self.world.tenant().rotate(client_id, Some(secret));
        rotated.unwrap_or_else(|| panic!("no credential `{client_id}`"))
    }

    /// Ends a credential's lifetime now. Tokens already handed out live on.
    #[track_caller]
    pub fn expire(&self, client_id: &str) {
        let now = self.now();
        let is_known = self.world.tenant().expire(client_id, now);
        assert!(is_known, "no credential `{client_id}`");
    }

    /// A token without a token request.
    #[track_caller]
    pub fn issue_token(&self, client_id: &str) -> String {
        let now = self.now();
        let issued = self.world.tenant().issue(client_id, now);
        issued.unwrap_or_else(|| panic!("no credential `{client_id}`"))
    }

    /// Takes every token of a credential away: the API refuses them from now on.
    pub fn revoke_tokens(&self, client_id: &str) {
        self.world.tenant().revoke_tokens(client_id);
    }

    // Switches, time, faults

    /// The Enable API switch of the portal.
    pub fn enable_api(&self, is_enabled: bool) {
        self.world.tenant().settings.is_api_enabled = is_enabled;
    }

    /// From now on the token endpoint knows only these request forms.
    pub fn accept(&self, forms: &[Form]) {
        self.world.tenant().settings.accepted = forms.to_vec();
    }

    /// Moves the sandbox's clock forward: tokens and credentials expire, the rate limit replenishes.
    pub fn advance(&self, by: Duration) {
        self.world.clock.advance(by);
    }

    /// The sandbox's time: real time and all it was advanced by.
    pub fn now(&self) -> OffsetDateTime {
        self.world.clock.now()
    }

    /// Adds a fault to the queue: each token request takes one, in order of arrival.
    pub fn next(&self, fault: Fault) {
        self.world.faults().push(fault);
    }

    /// The fault of every token request that takes none from the queue; `None` ends it.
    ///
    /// A [`Fault::Latency`] stands beside another standing fault, and adds to those from the queue.
    pub fn always(&self, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.world.faults().stand(fault),
            None => self.world.faults().end_standing(),
        }
    }

    /// Forgets every fault, scripted and standing.
    pub fn clear_faults(&self) {
        self.world.faults().clear();
    }

    /// Holds every token request from now on until the gate is released or dropped.
    #[must_use = "a gate that is dropped holds nothing"]
    pub fn gate(&self) -> Gate {
        let hold = Arc::new(Hold::default());
        *self.world.hold() = Some(Arc::clone(&hold));
        Gate::new(hold)
    }

    // What it was asked

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.world.records.all()
    }

    /// How many token requests have arrived, answered or not.
    pub fn token_requests(&self) -> usize {
        self.world.records.count(Recorded::is_token_request)
    }

    /// How many of them named this client ID.
    pub fn token_requests_of(&self, client_id: &str) -> usize {
        let is_of =
            |it: &Recorded| it.is_token_request() && it.client_id.as_deref() == Some(client_id);
        self.world.records.count(is_of)
    }

    /// Blocks until this many token requests have arrived in all; panics after 30 s.
    #[track_caller]
    pub fn wait_for_token_requests(&self, count: usize) {
        self.wait_until(&format!("{count} token requests"), |requests| {
            requests.iter().filter(|it| it.is_token_request()).count() >= count
        });
    }

    /// The greatest number of token requests of one client ID that were under way at once. A request
    /// is until it is answered, or until its client is seen to have gone.
    pub fn most_token_requests_at_once(&self) -> usize {
        let requests = self.requests();
        let token_requests = requests.iter().filter(|it| it.is_token_request());
        token_requests
            .map(|it| it.beside.len() + 1)
            .max()
            .unwrap_or_default()
    }

    /// Blocks until no request is under way; panics after 30 s.
    #[track_caller]
    pub fn wait_until_idle(&self) {
        self.world.records.wait_until_idle();
    }

    /// Blocks until the requests so far satisfy a test; panics after 30 s, saying what it waited for.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_enough: impl Fn(&[Recorded]) -> bool) {
        self.world.records.wait_until(what, is_enough);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Either may have ended already, by a panic of the sandbox's thread; it told so itself.
        self.stop.take().map(|stop| stop.send(()).ok());
        self.thread.take().map(|thread| thread.join().ok());
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
