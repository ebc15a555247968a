//! The address of the store: `rediss://HOST:PORT/DB`, `redis://` on this machine, `unix:/PATH`.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::types::uri::{UriError, host_and_port};

/// The default port.
const DEFAULT_PORT: u16 = 6379;

/// The address of the store and the transports that are allowed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A host that is reached over TCP.
    Host {
        /// The host name or IP address, in lower case; IPv6 in brackets.
        host: String,
        /// The TCP port.
        port: u16,
        /// The number of the database.
        database: u32,
        /// Whether the connection uses TLS.
        is_tls: bool,
        /// Whether plain text to another machine is allowed.
        is_insecure: bool,
    },
    /// The path of a Unix socket on this machine.
    Socket(PathBuf),
}

/// The reason why a text is not a valid store address.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum AddressError {
    /// The scheme is missing or not supported.
    #[error("it does not start with `rediss://`, `redis://` or `unix:`")]
    Scheme,
    /// The URL contains `user:password@`.
    #[error("it holds user info (`…@`); use `user` and `password`")]
    UserInfo,
    /// Plain text to another machine is not allowed.
    #[error("plain `redis://` is for loopback only; use `rediss://`, or write `insecure = true`")]
    Plain,
    /// The host is missing, or the port is invalid.
    #[error("its host or port is not usable")]
    Host,
    /// The path after the host is not a database number.
    #[error("behind the host stands something else than `/` and the number of a database")]
    Database,
    /// The socket path is not absolute, or the platform has no Unix sockets.
    #[error("`unix:` needs the absolute path of a socket, on Unix")]
    Socket,
}

impl Address {
    /// Parses a URL. `is_insecure` allows plain text to another machine.
    pub(crate) fn parse(text: &str, is_insecure: bool) -> Result<Self, AddressError> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let is_whole = path.starts_with('/') && path.len() > 1 && !path.contains('\0');
            return if is_whole && cfg!(unix) {
                Ok(Self::Socket(PathBuf::from(path)))
            } else {
                Err(AddressError::Socket)
            };
        }
        let (rest, is_tls) = match text.split_once("://") {
            Some(("rediss", rest)) => (rest, true),
            Some(("redis", rest)) => (rest, false),
            _ => return Err(AddressError::Scheme),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let database = match path {
            "" => 0,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| AddressError::Database)?
            }
            _ => return Err(AddressError::Database),
        };
        Self::at(authority, database, is_tls, is_insecure)
    }

    /// Returns the address of another node of the same cluster. `to` is the node's `HOST:PORT`, as
    /// the cluster reports it. The same rules apply.
    pub(super) fn moved(&self, to: &str) -> Option<Self> {
        let Self::Host {
            host,
            is_tls,
            is_insecure,
            ..
        } = self
        else {
            return None;
        };
        // A node that does not know its own name sends an empty host. An IPv6 address has no
        // brackets.
        let (to_host, port) = to.rsplit_once(':')?;
        let authority = match to_host {
            "" => format!("{host}:{port}"),
            name if name.contains(':') => format!("[{name}]:{port}"),
            name => format!("{name}:{port}"),
        };
        Self::at(&authority, 0, *is_tls, *is_insecure).ok()
    }

    fn at(
        authority: &str,
        database: u32,
        is_tls: bool,
        is_insecure: bool,
    ) -> Result<Self, AddressError> {
        let found = host_and_port(authority, DEFAULT_PORT);
        let (host, port, is_loopback) = found.map_err(|error| match error {
            UriError::UserInfo => AddressError::UserInfo,
            _ => AddressError::Host,
        })?;
        if !is_tls && !is_loopback && !is_insecure {
            return Err(AddressError::Plain);
        }
        Ok(Self::Host {
            host,
            port,
            database,
            is_tls,
            is_insecure,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(formatter, "unix:{}", crate::types::quote::path(path)),
            Self::Host {
                host,
                port,
                database,
                is_tls,
                ..
            } => {
                let scheme = if *is_tls { "rediss" } else { "redis" };
                write!(formatter, "{scheme}://{host}:{port}/{database}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError};

    fn read(text: &str) -> Result<String, AddressError> {
        Address::parse(text, false).map(|address| address.to_string())
    }

    #[test]
    fn an_address_is_tls_or_stays_on_this_machine() {
        for (text, expected) in [
            (
                "rediss://cache.internal:6380/0",
                "rediss://cache.internal:6380/0",
            ),
            ("rediss://Cache.internal", "rediss://cache.internal:6379/0"),
            ("redis://localhost/3", "redis://localhost:6379/3"),
            ("redis://127.0.0.1:1234/", "redis://127.0.0.1:1234/0"),
            ("redis://[::1]:1234", "redis://[::1]:1234/0"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(read("redis://cache.internal/0"), Err(AddressError::Plain));
        assert!(
            Address::parse("redis://cache.internal/0", true).is_ok(),
            "`insecure = true` allows plain text"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_named_by_its_whole_path() {
        for text in ["unix:/run/redis.sock", "unix:///run/redis.sock"] {
            assert_eq!(read(text).as_deref(), Ok("unix:/run/redis.sock"), "{text}");
        }
        for text in [
            "unix:",
            "unix:/",
            "unix:///",
            "unix:run/redis.sock",
            "unix://run/redis.sock",
            "unix:/run/redis\0.sock",
        ] {
            assert_eq!(read(text), Err(AddressError::Socket), "{text}");
        }
    }

    #[test]
    fn what_is_no_plain_address_is_refused() {
        for (text, error) in [
            ("http://localhost", AddressError::Scheme),
            ("localhost:6379", AddressError::Scheme),
            ("REDISS://a", AddressError::Scheme),
            ("rediss://u:p@cache", AddressError::UserInfo),
            ("rediss://", AddressError::Host),
            ("rediss://a:0", AddressError::Host),
            ("rediss://a b", AddressError::Host),
            ("rediss://a:99999", AddressError::Host),
            ("rediss://a/0/1", AddressError::Database),
            ("rediss://a/-1", AddressError::Database),
            ("rediss://a/+1", AddressError::Database),
            ("rediss://a/0?x=y", AddressError::Database),
            ("rediss://a/99999999999", AddressError::Database),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_move_within_a_cluster_keeps_to_the_rules() {
        let moved = |from: &str, to: &str| {
            let address = Address::parse(from, false).unwrap();
            address.moved(to).map(|address| address.to_string())
        };
        let tls = "rediss://a:1";
        assert_eq!(moved(tls, "b:2").as_deref(), Some("rediss://b:2/0"));
        assert_eq!(moved(tls, ":2").as_deref(), Some("rediss://a:2/0"));
        assert_eq!(moved(tls, "::1:2").as_deref(), Some("rediss://[::1]:2/0"));
        assert_eq!(moved(tls, "b"), None);
        let plain = "redis://localhost:1";
        assert_eq!(
            moved(plain, "127.0.0.1:2").as_deref(),
            Some("redis://127.0.0.1:2/0")
        );
        assert_eq!(
            moved(plain, "b:2"),
            None,
            "plain text stays on this machine"
        );
    }
}
