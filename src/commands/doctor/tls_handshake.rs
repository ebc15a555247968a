//! The steps of a connection, one at a time: name lookup, TCP, TLS. Requests use `oauth::Http`,
//! which performs the same steps with the same root certificates in one call.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore};

use crate::oauth::{CONNECT_LIMIT, Http, Stage, TransportCause, TransportError, dial};
use crate::system::clock::{Clock, Deadline};
use crate::system::resolver;
use crate::system::tls_roots::Roots;
use crate::types::uri::Origin;

/// A TLS session with a verified peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsSession {
    /// For example `TLS 1.3`.
    pub(super) protocol: &'static str,
    /// The number of certificates that the server sent.
    pub(super) chain: usize,
}

/// Resolves a host name to its addresses.
pub(super) fn resolve(
    http: &Http<'_>,
    (name, port): (&str, u16),
    clock: &dyn Clock,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, Box<TransportError>> {
    let deadline = deadline.at_most(clock, CONNECT_LIMIT);
    resolver::resolve(name, port, deadline.remaining(clock)).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => http.error(
            Stage::LookUp,
            TransportCause::DeadlineExceeded(deadline.limit()),
        ),
        _ => http.io_error(Stage::LookUp, error),
    })
}

/// Connects to the first address that accepts. Without TLS, only loopback addresses are allowed.
pub(super) fn connect(
    http: &Http<'_>,
    addresses: &[SocketAddr],
    clock: &dyn Clock,
    deadline: Deadline,
) -> Result<TcpStream, Box<TransportError>> {
    let deadline = deadline.at_most(clock, CONNECT_LIMIT);
    let left = || deadline.remaining(clock);
    let timed_out = || {
        http.error(
            Stage::Connect,
            TransportCause::DeadlineExceeded(deadline.limit()),
        )
    };
    if left().is_zero() {
        return Err(timed_out());
    }
    if http.roots().is_none() {
        resolver::require_loopback(addresses)
            .map_err(|error| http.io_error(Stage::Connect, error))?;
    }
    let connect = |address, limit| TcpStream::connect_timeout(&address, limit);
    dial(addresses, left, connect).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => timed_out(),
        _ => http.io_error(Stage::Connect, error),
    })
}

/// Performs a TLS handshake, which verifies the server, and closes the connection.
pub(super) fn shake_hands(
    http: &Http<'_>,
    stream: TcpStream,
    origin: &Origin,
    clock: &dyn Clock,
    deadline: Deadline,
) -> Result<TlsSession, Box<TransportError>> {
    let deadline = deadline.at_most(clock, CONNECT_LIMIT);
    let mut connection = client(http, origin)?;
    shake(&mut connection, stream, clock, deadline).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            let cause = TransportCause::DeadlineExceeded(deadline.limit());
            http.error(Stage::Handshake, cause)
        }
        _ => http.io_error(Stage::Handshake, error),
    })?;
    Ok(TlsSession {
        protocol: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS",
        },
        chain: connection.peer_certificates().map_or(0, <[_]>::len),
    })
}

/// The client side of a TLS session.
fn client(http: &Http<'_>, origin: &Origin) -> Result<ClientConnection, Box<TransportError>> {
    let failed = |error: rustls::Error| http.tls_error(Stage::Handshake, error);
    let roots = http.roots().map_or_else(RootCertStore::empty, Roots::store);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = origin.host().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(name).map_err(|_| {
        let host = origin.host().to_owned();
        http.error(Stage::Handshake, TransportCause::CertificateName(host))
    })?;
    ClientConnection::new(Arc::new(config), name).map_err(failed)
}

/// Performs a complete handshake, then sends `close_notify`.
fn shake(
    connection: &mut ClientConnection,
    mut stream: TcpStream,
    clock: &dyn Clock,
    deadline: Deadline,
) -> io::Result<()> {
    while connection.is_handshaking() {
        let left = deadline.remaining(clock);
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        stream.set_write_timeout(Some(left))?;
        if connection.wants_write() {
            connection.write_tls(&mut stream)?;
        } else if connection.read_tls(&mut stream)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        } else if let Err(error) = connection.process_new_packets() {
            // Send the alert. Its delivery does not matter.
            connection.write_tls(&mut stream).ok();
            return Err(io::Error::other(error));
        }
    }
    connection.send_close_notify();
    connection.write_tls(&mut stream)?;
    Ok(())
}
