//! Connects to the first address of a name that accepts (RFC 8305, "Happy Eyeballs"). An IPv6
//! address that does not answer costs a quarter of a second instead of the whole timeout.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// The delay before the next address is tried in parallel (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects within the time that `left` returns. `connect` gets an address and a time limit. If all
/// attempts fail, returns the most informative error.
///
/// Each thread ends with its attempt, or at the latest with the process. If no thread can be
/// started, the attempt is made on the current thread.
pub(crate) fn dial<T: Send + 'static>(
    addresses: &[SocketAddr],
    left: impl Fn() -> Duration,
    connect: impl Fn(SocketAddr, Duration) -> io::Result<T> + Clone + Send + 'static,
) -> io::Result<T> {
    match addresses {
        [] => return Err(ErrorKind::AddrNotAvailable.into()),
        [only] => return connect(*only, left()),
        _ => {}
    }
    let (sender, receiver) = mpsc::channel();
    let mut waiting = alternated(addresses).into_iter();
    let mut open = 0_usize;
    let mut failure = io::Error::from(ErrorKind::AddrNotAvailable);
    loop {
        let limit = left();
        if let Some(address) = waiting.next().filter(|_| !limit.is_zero()) {
            let (sender, connect) = (sender.clone(), connect.clone());
            let attempt = move || {
                // The receiver is gone if another address was faster.
                sender.send(connect(address, limit)).ok();
            };
            if thread::Builder::new().spawn(attempt.clone()).is_err() {
                attempt();
            }
            open += 1;
        }
        let heard = if waiting.len() > 0 {
            receiver.recv_timeout(HEAD_START)
        } else {
            receiver.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        match heard {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => {
                open -= 1;
                if telling(&error) > telling(&failure) {
                    failure = error;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(failure),
        }
        if open == 0 && (waiting.len() == 0 || left().is_zero()) {
            return Err(failure);
        }
    }
}

/// Alternates the two address families. The first family is the one that the system put first (RFC
/// 8305 §4).
fn alternated(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_first =
        |it: &&SocketAddr| Some(it.is_ipv4()) == addresses.first().map(SocketAddr::is_ipv4);
    let (first, second): (Vec<&SocketAddr>, Vec<&SocketAddr>) =
        addresses.iter().partition(is_first);
    let longer = first.len().max(second.len());
    (0..longer)
        .flat_map(|at| [first.get(at), second.get(at)])
        .flatten()
        .map(|address| **address)
        .collect()
}

/// Ranks an error by its information about the server. A missing route to an address has the least.
fn telling(error: &io::Error) -> u8 {
    match error.kind() {
        ErrorKind::AddrNotAvailable => 0,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => 1,
        ErrorKind::ConnectionRefused => 4,
        ErrorKind::TimedOut => 3,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::{alternated, dial};

    fn all(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|it| it.parse().unwrap()).collect()
    }

    #[test]
    fn the_families_take_turns() {
        let given = all(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1"]);
        let expected = all(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "[::3]:1"]);
        assert_eq!(alternated(&given), expected);
        let given = all(&["10.0.0.1:1", "[::1]:1"]);
        assert_eq!(alternated(&given), given, "the system's order");
    }

    #[test]
    fn the_first_address_that_takes_a_connection_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let refusing: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let dial = |addresses: &[SocketAddr]| {
            let connect = |address, limit| TcpStream::connect_timeout(&address, limit);
            dial(addresses, || Duration::from_secs(10), connect)
        };
        for addresses in [
            vec![good],
            vec![refusing, good],
            vec![refusing, refusing, good],
            // A refused connection takes no time.
            [vec![refusing; 60], vec![good]].concat(),
        ] {
            assert_eq!(dial(&addresses).unwrap().peer_addr().unwrap(), good);
        }
        let refused = dial(&[refusing, refusing]).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(dial(&[]).is_err(), "no address");
    }

    #[test]
    fn a_dead_address_holds_up_nobody_behind_it() {
        let addresses = all(&["[::1]:1", "10.0.0.1:1", "10.0.0.2:1"]);
        let has_given_up = Arc::new(AtomicBool::new(false));
        let (dead, good) = (addresses[0], addresses[1]);
        let connect = {
            let has_given_up = Arc::clone(&has_given_up);
            move |address, limit| {
                if address == dead {
                    // Nothing is sent, so this waits for the whole time limit.
                    let (_open, silence) = mpsc::channel::<()>();
                    silence.recv_timeout(limit).unwrap_err();
                    has_given_up.store(true, Ordering::Relaxed);
                    return Err(io::Error::from(ErrorKind::TimedOut));
                }
                Ok(address)
            }
        };
        let taken = dial(&addresses, || Duration::from_secs(5), connect).unwrap();
        assert_eq!(taken, good);
        assert!(
            !has_given_up.load(Ordering::Relaxed),
            "the next address is tried in parallel"
        );
    }

    #[test]
    fn of_several_failures_the_one_that_says_most_is_told() {
        let addresses = all(&["10.0.0.1:1", "10.0.0.2:1"]);
        let told = |kinds: [ErrorKind; 2]| {
            let given = addresses.clone();
            let connect = move |address, _| -> io::Result<()> {
                let at = given.iter().position(|it| *it == address).unwrap();
                Err(io::Error::new(kinds[at], format!("address {at}")))
            };
            dial(&addresses, || Duration::from_secs(5), connect).unwrap_err()
        };
        let rising = [
            ErrorKind::AddrNotAvailable,
            ErrorKind::HostUnreachable,
            ErrorKind::PermissionDenied,
            ErrorKind::TimedOut,
            ErrorKind::ConnectionRefused,
        ];
        for (at, more) in rising.into_iter().enumerate() {
            for less in rising[..at].iter().copied() {
                assert_eq!(told([less, more]).kind(), more, "after {less:?}");
                assert_eq!(told([more, less]).kind(), more, "before {less:?}");
            }
        }
        let alike = told([ErrorKind::TimedOut, ErrorKind::TimedOut]);
        assert_eq!(alike.to_string(), "address 0", "the first of equal errors");
    }
}
