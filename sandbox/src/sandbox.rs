//! The handle of a running sandbox.

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
use crate::gate::{Gate, GateState};
use crate::record::{RecordedRequest, Records};
use crate::serve::serve;
use crate::server_state::ServerState;
use crate::tenant::Tenant;
use crate::tls::TlsIdentity;
use crate::token_request::Form;

/// A server that stops when this is dropped. Every function takes effect for the next request.
///
/// # Panics
///
/// Functions with a `client_id` panic if no such credential exists.
pub struct Sandbox {
    state: Arc<ServerState>,
    address: SocketAddr,
    base_url: String,
    cloud_id: String,
    ca_pem: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// The settings, before the start.
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
        let identity = certificate.map(|certificate| TlsIdentity::create(certificate, &cloud_id));
        let scheme = if identity.is_some() { "https" } else { "http" };

        if credentials.is_empty() {
            credentials.push(CredentialSpec::default());
        }
        let now = OffsetDateTime::now_utc();
        let mut tenant = Tenant::new(settings, now);
        for spec in &credentials {
            tenant.add(spec, now);
        }
        let state = Arc::new(ServerState::new(tenant, faults, Records::new(log)));

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let tls = identity
            .as_ref()
            .map(|identity| TlsAcceptor::from(Arc::clone(&identity.config)));
        let served = Arc::clone(&state);
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
            state,
            address,
            base_url: format!("{scheme}://{address}"),
            cloud_id,
            ca_pem: identity.map(|identity| identity.ca_pem).unwrap_or_default(),
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// `https://127.0.0.1:PORT`, without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The Cloud ID.
    pub fn cloud_id(&self) -> &str {
        &self.cloud_id
    }

    /// The CA certificate in PEM format; empty with plain HTTP.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The oldest credential, with its current secret.
    #[track_caller]
    pub fn credential(&self) -> Credential {
        self.state
            .tenant()
            .first()
            .expect("all credentials were revoked")
    }

    /// Creates another credential.
    pub fn add_credential(&self, spec: CredentialSpec) -> Credential {
        self.state.tenant().add(&spec, self.now())
    }

    /// Removes a credential and revokes its tokens.
    #[track_caller]
    pub fn revoke(&self, client_id: &str) {
        let is_known = self.state.tenant().revoke(client_id);
        assert!(is_known, "no credential `{client_id}`");
    }

    /// Replaces the secret of a credential by a random one. Its tokens stay valid.
    #[track_caller]
    pub fn rotate_secret(&self, client_id: &str) -> Credential {
        let rotated = self.state.tenant().rotate(client_id, None);
        rotated.unwrap_or_else(|| panic!("no credential `{client_id}`"))
    }

    /// Replaces the secret of a credential by this one. Its tokens stay valid.
    #[track_caller]
    pub fn set_secret(&self, client_id: &str, secret: &str) -> Credential {
        let rotated = self.state.tenant().rotate(client_id, Some(secret));
        rotated.unwrap_or_else(|| panic!("no credential `{client_id}`"))
    }

    /// Ends the lifetime of a credential now. Its tokens stay valid.
    #[track_caller]
    pub fn expire(&self, client_id: &str) {
        let now = self.now();
        let is_known = self.state.tenant().expire(client_id, now);
        assert!(is_known, "no credential `{client_id}`");
    }

    /// Issues a token without a token request.
    #[track_caller]
    pub fn issue_token(&self, client_id: &str) -> String {
        let now = self.now();
        let issued = self.state.tenant().issue(client_id, now);
        issued.unwrap_or_else(|| panic!("no credential `{client_id}`"))
    }

    /// Revokes all tokens of a credential.
    pub fn revoke_tokens(&self, client_id: &str) {
        self.state.tenant().revoke_tokens(client_id);
    }

    /// Sets the Enable API switch of the portal.
    pub fn enable_api(&self, is_enabled: bool) {
        self.state.tenant().settings.is_api_enabled = is_enabled;
    }

    /// Sets the request forms that the token endpoint accepts.
    pub fn accept(&self, forms: &[Form]) {
        self.state.tenant().settings.accepted = forms.to_vec();
    }

    /// Restores the sample objects of the API and removes all faults.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Moves the sandbox's clock forward. Tokens and credentials expire, the rate limit replenishes.
    pub fn advance(&self, by: Duration) {
        self.state.clock.advance(by);
    }

    /// The sandbox's time: the real time plus all advances.
    pub fn now(&self) -> OffsetDateTime {
        self.state.clock.now()
    }

    /// Adds a fault to the queue. Each token request takes one, in order of arrival.
    pub fn next(&self, fault: Fault) {
        self.state.faults().push(fault);
    }

    /// Sets the standing fault: that of all token requests for which the queue is empty. `None` removes it.
    ///
    /// A standing [`Fault::Latency`] does not replace another standing fault, and is added to queued faults.
    pub fn always(&self, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.state.faults().set_standing(fault),
            None => self.state.faults().end_standing(),
        }
    }

    /// Removes all faults, queued and standing.
    pub fn clear_faults(&self) {
        self.state.faults().clear();
    }

    /// Delays all further token responses until the gate is released or dropped.
    #[must_use = "a dropped gate delays nothing"]
    pub fn gate(&self) -> Gate {
        let gate = Arc::new(GateState::default());
        *self.state.gate() = Some(Arc::clone(&gate));
        Gate::new(gate)
    }

    /// All requests so far, in order of arrival.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state.records.all()
    }

    /// The number of token requests so far, with or without a response.
    pub fn token_requests(&self) -> usize {
        self.state.records.count(RecordedRequest::is_token_request)
    }

    /// The number of token requests with this client ID.
    pub fn token_requests_of(&self, client_id: &str) -> usize {
        let is_of = |it: &RecordedRequest| {
            it.is_token_request() && it.client_id.as_deref() == Some(client_id)
        };
        self.state.records.count(is_of)
    }

    /// Blocks until this many token requests have arrived in total; panics after 30 s.
    #[track_caller]
    pub fn wait_for_token_requests(&self, count: usize) {
        self.wait_until(&format!("{count} token requests"), |requests| {
            requests.iter().filter(|it| it.is_token_request()).count() >= count
        });
    }

    /// The greatest number of token requests with one client ID that were pending at once. A request is
    /// pending until its response is sent or the client has disconnected.
    pub fn most_token_requests_at_once(&self) -> usize {
        let requests = self.requests();
        let token_requests = requests.iter().filter(|it| it.is_token_request());
        token_requests
            .map(|it| it.beside.len() + 1)
            .max()
            .unwrap_or_default()
    }

    /// Blocks until no request is pending; panics after 30 s.
    #[track_caller]
    pub fn wait_until_idle(&self) {
        self.state.records.wait_until_idle();
    }

    /// Blocks until the requests so far satisfy a condition; panics after 30 s with its description.
    #[track_caller]
    pub fn wait_until(&self, description: &str, is_enough: impl Fn(&[RecordedRequest]) -> bool) {
        self.state.records.wait_until(description, is_enough);
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Both fail if the sandbox's thread has panicked, which it has reported.
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
