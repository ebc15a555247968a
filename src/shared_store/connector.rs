//! A connection to a store: a Unix socket, plain TCP or TLS. Every wait is bounded.

use std::cell::{Cell, OnceCell};
use std::io::{self, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::{Address, StoreError};
use crate::system::clock::{Clock, Deadline};
use crate::system::resolver;
use crate::system::tls_roots::{Roots, System, tls_error};
use crate::types::quote::quote;
use crate::types::secret::Secret;

/// The account of this program on the store.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// The ACL user, if it is not the default user.
    pub(crate) user: Option<Secret>,
    /// The password.
    pub(crate) password: Option<Secret>,
}

/// Opens connections to a store.
#[derive(Debug)]
pub(crate) struct Connector<'a> {
    /// The configured address.
    pub(super) address: Address,
    /// The account that is used for `AUTH`.
    pub(super) account: Account,
    system: &'a System<'a>,
    /// A file with additional root certificates, in PEM format.
    ca_file: Option<PathBuf>,
    /// The root certificates. They are loaded only if the connection uses TLS.
    roots: OnceCell<Roots<'a>>,
}

/// An open connection.
pub(super) enum Connection<'a> {
    Plain(Transport<'a>),
    Tls(Box<StreamOwned<ClientConnection, Transport<'a>>>),
}

/// The byte stream below TLS. Each read and write ends at the current deadline.
pub(super) struct Transport<'a> {
    stream: Stream,
    clock: &'a dyn Clock,
    deadline: Cell<Deadline>,
}

enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl<'a> Connector<'a> {
    /// Creates a connector that trusts the system's roots and those in `ca_file`.
    pub(crate) fn new(
        address: Address,
        account: Account,
        system: &'a System<'a>,
        ca_file: Option<PathBuf>,
    ) -> Self {
        Self {
            address,
            account,
            system,
            ca_file,
            roots: OnceCell::new(),
        }
    }

    /// Opens a connection to `address`, which is the configured address or another cluster node.
    pub(super) fn open(
        &self,
        address: &Address,
        clock: &'a dyn Clock,
        deadline: Deadline,
    ) -> Result<Connection<'a>, StoreError> {
        let wire = |stream| Transport {
            stream,
            clock,
            deadline: Cell::new(deadline),
        };
        match address {
            #[cfg(unix)]
            Address::Socket(path) => {
                let path = path.clone();
                // A server that does not accept connections would block this call forever.
                let connect = move || UnixStream::connect(path);
                let stream = resolver::within(deadline.remaining(clock), connect)
                    .map_err(|error| failure(&error, deadline.limit()))?;
                Ok(Connection::Plain(wire(Stream::Unix(stream))))
            }
            #[cfg(not(unix))]
            Address::Socket(_) => Err(StoreError::Unreachable("no sockets here".to_owned())),
            Address::Host {
                host,
                port,
                is_tls,
                is_insecure,
                ..
            } => {
                let name = host.trim_matches(['[', ']']);
                let is_loopback_only = !is_tls && !is_insecure;
                let stream = connect(name, *port, is_loopback_only, clock, deadline)?;
                // The commands of one round trip are sent in one write.
                stream.set_nodelay(true).ok();
                let wire = wire(Stream::Tcp(stream));
                if *is_tls {
                    let stream = self.shake_hands(name, wire, deadline)?;
                    Ok(Connection::Tls(Box::new(stream)))
                } else {
                    Ok(Connection::Plain(wire))
                }
            }
        }
    }

    /// Opens a TLS session with a verified server. Nothing else is sent before the handshake.
    fn shake_hands(
        &self,
        name: &str,
        mut wire: Transport<'a>,
        deadline: Deadline,
    ) -> Result<StreamOwned<ClientConnection, Transport<'a>>, StoreError> {
        let roots = self.roots()?;
        let mut connection = tls(name, roots)?;
        match connection.complete_io(&mut wire) {
            Ok(_) => Ok(StreamOwned::new(connection, wire)),
            Err(error) => Err(match (failure(&error, deadline.limit()), roots.problem()) {
                (StoreError::Untrusted(why), Some(problem)) => {
                    StoreError::Untrusted(format!("{why}; {problem}"))
                }
                (error, _) => error,
            }),
        }
    }

    fn roots(&self) -> Result<&Roots<'a>, StoreError> {
        if let Some(roots) = self.roots.get() {
            return Ok(roots);
        }
        let roots = Roots::read(self.system, self.ca_file.as_deref());
        let roots = roots.map_err(|error| StoreError::SetUp(error.to_string()))?;
        Ok(self.roots.get_or_init(|| roots))
    }
}

/// Returns the TLS client configuration.
fn tls(name: &str, roots: &Roots<'_>) -> Result<ClientConnection, StoreError> {
    let untrusted = |error: rustls::Error| StoreError::Untrusted(quote(&error.to_string()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(untrusted)?
        .with_root_certificates(roots.store())
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| StoreError::Untrusted(format!("{name} is no name for a certificate")))?;
    ClientConnection::new(Arc::new(config), name).map_err(untrusted)
}

fn connect(
    name: &str,
    port: u16,
    is_loopback_only: bool,
    clock: &dyn Clock,
    deadline: Deadline,
) -> Result<TcpStream, StoreError> {
    let mut failed = StoreError::TimedOut(deadline.limit());
    let addresses = resolver::resolve(name, port, deadline.remaining(clock));
    let addresses = addresses.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => StoreError::TimedOut(deadline.limit()),
        _ => StoreError::Unreachable(format!("the name {} was not found", quote(name))),
    })?;
    if is_loopback_only {
        resolver::require_loopback(&addresses).map_err(|error| unreachable(&error))?;
    }
    let count = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for (address, left) in addresses.into_iter().zip((1..=count).rev()) {
        // Each address gets a share of the time, because the first one may not answer at all.
        let limit = deadline.remaining(clock) / left;
        if limit.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = failure(&error, deadline.limit()),
        }
    }
    Err(failed)
}

/// Converts an I/O error of a connection; `limit` is the time limit of the call.
pub(super) fn failure(error: &io::Error, limit: Duration) -> StoreError {
    if let Some(tls) = tls_error(error) {
        return StoreError::Untrusted(quote(&tls.to_string()));
    }
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => StoreError::TimedOut(limit),
        io::ErrorKind::UnexpectedEof => {
            StoreError::Unreachable("it closed the connection".to_owned())
        }
        _ => unreachable(error),
    }
}

fn unreachable(error: &io::Error) -> StoreError {
    let told = error.to_string();
    let told = told.split(" (os error").next().unwrap_or_default();
    StoreError::Unreachable(quote(told).to_lowercase())
}

impl Connection<'_> {
    /// Makes every later wait end by `deadline`.
    pub(super) fn set_deadline(&self, deadline: Deadline) {
        let wire = match self {
            Self::Plain(wire) => wire,
            Self::Tls(stream) => stream.get_ref(),
        };
        wire.deadline.set(deadline);
    }
}

impl Read for Connection<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.write(buffer),
            Self::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Transport<'_> {
    fn bound(&self) -> io::Result<()> {
        let left = self.deadline.get().remaining(self.clock);
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match &self.stream {
            Stream::Tcp(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.set_write_timeout(Some(left))
            }
            #[cfg(unix)]
            Stream::Unix(stream) => {
                stream.set_read_timeout(Some(left))?;
                stream.set_write_timeout(Some(left))
            }
        }
    }
}

impl Read for Transport<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bound()?;
        match &mut self.stream {
            Stream::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Transport<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.bound()?;
        match &mut self.stream {
            Stream::Tcp(stream) => stream.write(buffer),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::failure;

    #[test]
    fn what_becomes_of_a_connection_is_told_in_few_words() {
        let expired = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        for (error, says) in [
            (io::ErrorKind::TimedOut.into(), "no answer within 1500 ms"),
            (io::ErrorKind::WouldBlock.into(), "no answer within 1500 ms"),
            (
                io::ErrorKind::UnexpectedEof.into(),
                "no connection: it closed the connection",
            ),
            (
                io::Error::other("Connection refused (os error 111)"),
                "no connection: connection refused",
            ),
            (
                io::Error::other(expired),
                "its TLS connection cannot be trusted: invalid peer certificate: Expired",
            ),
        ] {
            let told = failure(&error, Duration::from_millis(1500)).to_string();
            assert_eq!(told, says);
        }
    }
}
