//! The way to a server step by step: name, connection, TLS. Only to find out where it ends; requests
//! go through `http`, which takes the same way, with the same roots, in one go.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::dial::dial;
use super::failure::Failure;
use super::http::{CONNECT_LIMIT, Http};
use super::trouble::Stage;
use crate::clock::{Clock, Deadline};
use crate::roots::{Roots, tls_error};
use crate::uri::Origin;

/// A server that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trusted {
    /// `TLS 1.3`.
    pub(crate) protocol: &'static str,
    /// How many certificates it sent.
    pub(crate) chain: usize,
}

impl Http<'_> {
    /// The addresses of a name.
    pub(crate) fn resolve(
        &self,
        name: &str,
        port: u16,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<Vec<SocketAddr>, Failure> {
        if let Some(address) = address_of(name) {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let limit = CONNECT_LIMIT.min(deadline.remaining(clock));
        let (sender, receiver) = mpsc::sync_channel(1);
        let asked = (name.to_owned(), port);
        // The system's look-up knows no limit, so a thread does it; it may be left behind.
        let look_up = move || {
            let found = asked.to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            drop(sender.send(found));
        };
        let started = thread::Builder::new().spawn(look_up);
        let found = started.and_then(|_| {
            let timed_out = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
            receiver
                .recv_timeout(limit)
                .unwrap_or_else(|_| Err(timed_out()))
        });
        match found {
            Ok(found) if found.is_empty() => {
                let none = io::Error::from(io::ErrorKind::AddrNotAvailable);
                Err(self.io_failure(Stage::LookUp, &none))
            }
            Ok(found) => Ok(found),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                Err(self.timed_out(Stage::LookUp, CONNECT_LIMIT.min(deadline.limit())))
            }
            Err(error) => Err(self.io_failure(Stage::LookUp, &error)),
        }
    }

    /// A connection to the first of the addresses that takes it.
    pub(crate) fn connect(
        &self,
        addresses: &[SocketAddr],
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<TcpStream, Failure> {
        let deadline = deadline.at_most(clock, CONNECT_LIMIT);
        let left = || deadline.remaining(clock);
        let timed_out = || self.timed_out(Stage::Connect, deadline.limit());
        if left().is_zero() {
            return Err(timed_out());
        }
        let connect = |address, limit| TcpStream::connect_timeout(&address, limit);
        dial(addresses, left, connect).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => timed_out(),
            _ => self.io_failure(Stage::Connect, &error),
        })
    }

    /// TLS on a connection, as far as the proof of the server's identity; on another one to the same
    /// address, where it takes more roots than at first.
    pub(crate) fn shake_hands(
        &self,
        stream: TcpStream,
        origin: &Origin,
        clock: &dyn Clock,
        deadline: Deadline,
    ) -> Result<Trusted, Failure> {
        let deadline = deadline.at_most(clock, CONNECT_LIMIT);
        let address = stream.peer_addr();
        let mut connection = self.client(origin)?;
        let mut done = shake(&mut connection, stream, clock, deadline);
        if let (Err(error), Ok(address)) = (&done, address)
            && tls_error(error).is_some_and(|error| self.reach_further(error))
        {
            let stream = self.connect(&[address], clock, deadline)?;
            connection = self.client(origin)?;
            done = shake(&mut connection, stream, clock, deadline);
        }
        done.map_err(|error| self.broken_handshake(&error, deadline.limit()))?;
        Ok(Trusted {
            protocol: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
                Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
                _ => "TLS",
            },
            chain: connection.peer_certificates().map_or(0, <[_]>::len),
        })
    }

    /// Our side of TLS with the server.
    fn client(&self, origin: &Origin) -> Result<ClientConnection, Failure> {
        let mut roots = RootCertStore::empty();
        let known = self.roots().into_iter().flat_map(Roots::certificates);
        roots.add_parsable_certificates(known.cloned());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| self.tls_failure(Stage::Handshake, &error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = origin.host().trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(|_| Failure::Unusable {
            reason: format!("{} is no name for a certificate", origin.host()),
            detail: None,
            hint: None,
        })?;
        ClientConnection::new(Arc::new(config), name)
            .map_err(|error| self.tls_failure(Stage::Handshake, &error))
    }

    fn broken_handshake(&self, error: &io::Error, given: Duration) -> Failure {
        match tls_error(error) {
            Some(tls) => self.tls_failure(Stage::Handshake, tls),
            None => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                    self.timed_out(Stage::Handshake, given)
                }
                _ => self.io_failure(Stage::Handshake, error),
            },
        }
    }
}

/// A whole handshake, and that we go.
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
            // The server is told why; whether it listens makes no difference.
            connection.write_tls(&mut stream).ok();
            return Err(io::Error::other(error));
        }
    }
    connection.send_close_notify();
    connection.write_tls(&mut stream)?;
    Ok(())
}

/// The address that a host is, where it is one.
fn address_of(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

/// The moment that a `Date` header names (RFC 9110 §5.6.7).
pub(crate) fn date_of(header: &str) -> Option<OffsetDateTime> {
    // GMT is that standard's name for what RFC 2822 writes as an offset.
    let text = header.trim().strip_suffix("GMT")?;
    OffsetDateTime::parse(&format!("{text}+0000"), &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use super::{address_of, date_of};

    #[test]
    fn the_date_of_an_answer_is_read() {
        let read = date_of("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(read.unix_timestamp(), 784_111_777);
        for other in ["", "yesterday", "1994-11-06T08:49:37Z", "GMT"] {
            assert_eq!(date_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_host_that_is_an_address_needs_no_look_up() {
        for (host, address) in [
            ("127.0.0.1", Some("127.0.0.1")),
            ("[::1]", Some("::1")),
            ("acme.test", None),
        ] {
            let found = address_of(host).map(|it| it.to_string());
            assert_eq!(found.as_deref(), address);
        }
    }
}
