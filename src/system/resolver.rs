//! Looks up host names. `localhost` never goes to DNS (RFC 6761 §6.3). Every other name goes to the
//! resolver of the system, in a thread, because the system has no time limit.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// Returns the addresses of a host: an IP address (IPv6 with or without brackets), `localhost`, a
/// name below it, or a name that the system's resolver finds.
///
/// Fails with [`ErrorKind::TimedOut`] after `limit`. Never returns an empty list.
pub(crate) fn resolve(host: &str, port: u16, limit: Duration) -> io::Result<Vec<SocketAddr>> {
    let name = host.trim_matches(['[', ']']);
    let at_port = |address: IpAddr| SocketAddr::new(address, port);
    if let Ok(address) = name.parse() {
        return Ok(vec![at_port(address)]);
    }
    if is_localhost(name) {
        let both = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        return Ok(both.map(at_port).to_vec());
    }
    let found = within(limit, {
        let name = name.to_owned();
        move || system_lookup(&name, port)
    })?;
    if found.is_empty() {
        return Err(ErrorKind::AddrNotAvailable.into());
    }
    Ok(found)
}

/// Rejects addresses outside of this machine, for connections without TLS. Checks the address,
/// because a name proves nothing about it.
pub(crate) fn require_loopback(addresses: &[SocketAddr]) -> io::Result<()> {
    match addresses.iter().find(|it| !it.ip().is_loopback()) {
        None => Ok(()),
        Some(address) => Err(io::Error::new(
            ErrorKind::PermissionDenied,
            format!("{} is not a loopback address", address.ip()),
        )),
    }
}

/// Whether this is `localhost` or a name below it.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    last.eq_ignore_ascii_case("localhost")
}

/// Runs `act` in a thread for at most `limit`; the thread may outlive the call. If no thread can be
/// started, runs it here.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    act: impl FnOnce() -> io::Result<T> + Clone + Send + 'static,
) -> io::Result<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let in_thread = act.clone();
    let started = thread::Builder::new().spawn(move || drop(sender.send(in_thread())));
    if started.is_err() {
        return act();
    }
    receiver.recv_timeout(limit).unwrap_or_else(|error| {
        Err(match error {
            RecvTimeoutError::Timeout => ErrorKind::TimedOut.into(),
            RecvTimeoutError::Disconnected => io::Error::other("the lookup ended early"),
        })
    })
}

fn system_lookup(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = (name, port).to_socket_addrs().map(Iterator::collect);
    #[cfg(target_env = "musl")]
    if let Some(found) = found.is_err().then(|| getent::lookup(name, port)).flatten() {
        return Ok(found);
    }
    found
}

/// The system's own resolver, for the static build: musl fails if only the AAAA query fails, and it
/// takes the first response of several name servers, even a negative one.
#[cfg(any(test, target_env = "musl"))]
mod getent {
    use std::net::SocketAddr;
    #[cfg(target_env = "musl")]
    use std::process::{Command, Stdio};

    /// Runs `/usr/bin/getent ahosts NAME`; `None` if it is missing or finds nothing.
    #[cfg(target_env = "musl")]
    pub(super) fn lookup(name: &str, port: u16) -> Option<Vec<SocketAddr>> {
        if name.starts_with('-') {
            return None;
        }
        let output = Command::new("/usr/bin/getent")
            .args(["ahosts", name])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let found = addresses(&String::from_utf8_lossy(&output.stdout), port);
        Some(found).filter(|found| output.status.success() && !found.is_empty())
    }

    /// Reads lines such as `192.0.2.1  STREAM name`; each address is listed once per socket type.
    pub(super) fn addresses(text: &str, port: u16) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        for line in text.lines() {
            let address = line.split_ascii_whitespace().next().map(str::parse);
            if let Some(Ok(address)) = address {
                let address = SocketAddr::new(address, port);
                if !found.contains(&address) {
                    found.push(address);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::SocketAddr;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::{getent, require_loopback, resolve, within};

    fn all(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn localhost_and_addresses_need_no_lookup() {
        // With a limit of zero, a lookup would end with `TimedOut`.
        let found = |host: &str| resolve(host, 80, Duration::ZERO).map_err(|error| error.kind());
        for host in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "app.localhost",
            "a.b.localhost.",
        ] {
            assert_eq!(
                found(host),
                Ok(all(&["127.0.0.1:80", "[::1]:80"])),
                "{host}"
            );
        }
        assert_eq!(found("192.0.2.1"), Ok(all(&["192.0.2.1:80"])));
        for host in ["::1", "[::1]"] {
            assert_eq!(found(host), Ok(all(&["[::1]:80"])), "{host}");
        }
    }

    #[test]
    fn lookup_ends_after_its_limit() {
        let (_open, silence) = mpsc::channel::<()>();
        let silence = std::sync::Arc::new(std::sync::Mutex::new(silence));
        let wait = move || {
            silence.lock().unwrap().recv().unwrap_err();
            Ok(())
        };
        let error = within(Duration::from_millis(1), wait).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn plain_text_goes_to_loopback_addresses_only() {
        for good in [&["127.0.0.1:1", "127.255.0.9:1", "[::1]:1"][..], &[]] {
            assert!(require_loopback(&all(good)).is_ok());
        }
        for bad in [
            "192.0.2.1:1",
            "0.0.0.0:1",
            "[::ffff:10.0.0.1]:1",
            "[fe80::1]:1",
            "[::]:1",
        ] {
            let error = require_loopback(&all(&["127.0.0.1:1", bad])).unwrap_err();
            assert!(
                error.to_string().ends_with("is not a loopback address"),
                "{bad}: {error}"
            );
        }
    }

    #[test]
    fn getent_output_lists_each_address_once() {
        let text = "192.0.2.1       STREAM acme.test\n192.0.2.1       DGRAM\n\
                    2001:db8::1     STREAM\n192.0.2.1       RAW\nrubbish\n\n";
        let expected = all(&["192.0.2.1:443", "[2001:db8::1]:443"]);
        assert_eq!(getent::addresses(text, 443), expected);
    }
}
