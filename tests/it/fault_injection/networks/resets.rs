//! Connections that end too early: after any number of bytes in either direction, after any record
//! of a handshake, by RST or by FIN.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cloudconnexa_sandbox::Sandbox;

use super::{Fault, Relay, Serve, reset, survives, through};
use crate::fault_injection::{Claim, tries};
use crate::harness::World;

/// The side whose bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Client,
    Server,
}

/// How the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Reset,
    Close,
}

/// The point at which the connection ends.
#[derive(Debug, Clone, Copy)]
enum After {
    Bytes(usize),
    /// Whole TLS records.
    Records(usize),
}

/// Forwards all data, but the data of one side only up to a limit. Then it ends both connections.
fn cut(server: SocketAddr, from: From, after: After, end: End) -> Serve {
    Arc::new(move |client| {
        let Ok(server) = TcpStream::connect(server) else {
            return;
        };
        let (counted, other) = match from {
            From::Client => (&client, &server),
            From::Server => (&server, &client),
        };
        let back = (other.try_clone().unwrap(), counted.try_clone().unwrap());
        let (counted, other) = (counted.try_clone().unwrap(), other.try_clone().unwrap());
        // The server's response to the client's last record could arrive before the connection
        // ends.
        let passes_back = !matches!((from, after), (From::Client, After::Records(_)));
        let uncounted = thread::spawn(move || {
            let (mut from, mut to) = back;
            if passes_back {
                drop(std::io::copy(&mut from, &mut to));
            }
        });
        match after {
            After::Bytes(count) => {
                drop(std::io::copy(&mut counted.take(count as u64), &mut &other));
            }
            After::Records(count) => (0..count).for_each(|_| pass_record(&counted, &other)),
        }
        if end == End::Reset {
            reset(&client);
        }
        drop(client.shutdown(if end == End::Reset {
            Shutdown::Read
        } else {
            Shutdown::Both
        }));
        drop(server.shutdown(Shutdown::Both));
        drop((client, server, other));
        uncounted.join().unwrap();
    })
}

fn pass_record(mut from: &TcpStream, mut to: &TcpStream) {
    let mut head = [0; 5];
    if from.read_exact(&mut head).is_err() {
        return;
    }
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    if from.read_exact(&mut body).is_ok() {
        drop(to.write_all(&[&head[..], &body].concat()));
    }
}

/// Counts the bytes that each side sends in a successful exchange.
fn counted(world: &World) -> (usize, usize) {
    let (from_client, from_server) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let address = world.sandbox.address();
    let (up, down) = (Arc::clone(&from_client), Arc::clone(&from_server));
    let relay = Relay::new(Arc::new(move |client| {
        let server = TcpStream::connect(address).unwrap();
        let pass = |mut from: TcpStream, mut to: TcpStream, count: Arc<AtomicUsize>| {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                count.fetch_add(length, Ordering::SeqCst);
                drop(to.write_all(&buffer[..length]));
            }
            drop(to.shutdown(Shutdown::Write));
        };
        let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let up = Arc::clone(&up);
        let other = thread::spawn(move || pass(from, to, up));
        pass(server, client, Arc::clone(&down));
        other.join().unwrap();
    }));
    let scheme = world.sandbox.base_url().split(':').next().unwrap();
    let url = format!("{scheme}://{}", relay.address());
    world
        .run(["token"])
        .set("CLOUDCONNEXA_BASE_URL", &url)
        .succeeds();
    (
        from_client.load(Ordering::SeqCst),
        from_server.load(Ordering::SeqCst),
    )
}

/// The accepted messages for a connection that ended in this way. Each is a complete reason.
const IN_HANDSHAKE: [&str; 2] = [
    "closed the connection in the TLS handshake",
    "reset the connection in the TLS handshake",
];
const IN_EXCHANGE: [&str; 2] = [
    "closed the connection before the answer was whole",
    "reset the connection",
];

const ENDS: [End; 2] = [End::Reset, End::Close];

/// The points at which to cut an exchange with these numbers of client and server bytes. A soak
/// test cuts after each byte and alternates between the two kinds of end, starting with `turns`. A
/// short test cuts after some bytes, with both kinds.
fn everywhere((client, server): (usize, usize), turns: usize) -> Vec<(From, usize, End)> {
    let mut points = Vec::new();
    for (from, length) in [(From::Client, client), (From::Server, server)] {
        let count = tries(4, length);
        for bytes in (0..count).map(|at| (length - 1) * at / (count - 1)) {
            let (both, turn) = (&ENDS[..], (bytes + turns) % 2);
            let ends = if count == length {
                &both[turn..=turn]
            } else {
                both
            };
            points.extend(ends.iter().map(|end| (from, bytes, *end)));
        }
    }
    points
}

/// The number of processes that run in parallel. They mostly wait.
fn at_once() -> usize {
    tries(12, 48)
}

/// A cut of every connection of one process. `is_harmless` if the process may still get a token.
#[derive(Debug, Clone, Copy)]
struct Cut {
    from: From,
    after: After,
    end: End,
    is_harmless: bool,
}

/// Cuts every connection of each process in this way, a few processes in parallel. Each has its own
/// relay.
fn all_cut(claim: &Claim, world: &World, cuts: &[Cut], says: &[&str]) {
    let scheme = world.sandbox.base_url().split(':').next().unwrap();
    for batch in cuts.chunks(at_once()) {
        claim.counts(batch.len(), || {
            let relays: Vec<Relay> = batch
                .iter()
                .map(|it| Relay::new(cut(world.sandbox.address(), it.from, it.after, it.end)))
                .collect();
            let run = |relay: &Relay| {
                let url = format!("{scheme}://{}", relay.address());
                // A relay can reuse the port of an earlier relay and would then find the cache
                // entry of that one.
                world
                    .run(["token", "--no-cache"])
                    .set("CLOUDCONNEXA_BASE_URL", &url)
                    .start()
            };
            let outcomes = world.outcomes(relays.iter().map(run).collect());
            for ((outcome, point), relay) in outcomes.into_iter().zip(batch).zip(&relays) {
                if point.is_harmless && outcome.code == Some(0) {
                    assert!(!outcome.succeeds().is_empty());
                    continue;
                }
                let stderr = outcome.fails(6);
                let first = stderr.lines().next().unwrap();
                let is_told = says.iter().any(|words| {
                    first.ends_with(words) && first.contains(&relay.address().to_string())
                });
                assert!(is_told, "{point:?}: {first}");
                assert!(relay.taken() >= 2, "{point:?}: the program retries");
            }
        });
    }
}

#[test]
fn a_connection_that_ends_after_any_number_of_bytes_is_told_and_tried_again() {
    let claim = Claim::that(
        "a connection that is reset or closed after any byte of the exchange, in either \
         direction, with and without TLS, is reported as such and retried",
    );
    let world = World::with(Sandbox::builder().no_rate_limit());
    let lengths = counted(&world);
    let cuts = |lengths: (usize, usize), harmless: usize| -> Vec<Cut> {
        let cut = |(from, bytes, end)| {
            let length = match from {
                From::Client => lengths.0,
                From::Server => lengths.1,
            };
            Cut {
                from,
                after: After::Bytes(bytes),
                end,
                is_harmless: bytes + harmless >= length,
            }
        };
        everywhere(lengths, 0).into_iter().map(cut).collect()
    };
    // The last record only announces the end of the data. The length of a signature varies by a
    // byte.
    let says = [IN_HANDSHAKE, IN_EXCHANGE].concat();
    all_cut(&claim, &world, &cuts(lengths, 100), &says);

    // Without TLS the phase is known: the cut is always in the exchange.
    let world = World::with(Sandbox::builder().http().no_rate_limit());
    let lengths = counted(&world);
    all_cut(&claim, &world, &cuts(lengths, 0), &IN_EXCHANGE);
}

#[test]
fn a_handshake_that_ends_after_any_record_is_told_as_one() {
    let claim = Claim::that(
        "a connection that is reset or closed after any record of the TLS handshake is reported \
         as such and retried",
    );
    let world = World::with(Sandbox::builder().no_rate_limit());
    let mut cuts = Vec::new();
    for end in ENDS {
        let mut cut = |from, records| {
            cuts.push(Cut {
                from,
                after: After::Records(records),
                end,
                is_harmless: false,
            });
        };
        // The server sends a hello, a change of cipher, and the rest in one record or more. Only
        // the first record of the client comes before these.
        cut(From::Client, 1);
        for records in 1..3 {
            cut(From::Server, records);
        }
    }
    all_cut(&claim, &world, &cuts.repeat(tries(1, 50)), &IN_HANDSHAKE);
}

#[test]
fn a_run_whose_first_connection_is_cut_anywhere_ends_with_a_token_all_the_same() {
    let claim = Claim::that(
        "an invocation whose first connection is reset or closed after any byte of the \
         exchange, in either direction, with and without TLS, ends with a token and no output \
         on stderr",
    );
    for builder in [Sandbox::builder(), Sandbox::builder().http()] {
        let world = World::with(builder.no_rate_limit());
        let scheme = world.sandbox.base_url().split(':').next().unwrap();
        let address = world.sandbox.address();
        // If the test above resets the connection after a byte, this one closes it there, and vice
        // versa.
        for batch in everywhere(counted(&world), 1).chunks(at_once()) {
            claim.counts(batch.len(), || {
                let relay = |(from, bytes, end): &(From, usize, End)| {
                    let broken = cut(address, *from, After::Bytes(*bytes), *end);
                    let (well, is_second) = (through(address), AtomicUsize::new(0));
                    Relay::new(Arc::new(move |stream| {
                        match is_second.fetch_add(1, Ordering::SeqCst) {
                            0 => broken(stream),
                            _ => well(stream),
                        }
                    }))
                };
                let relays: Vec<Relay> = batch.iter().map(relay).collect();
                let run = |relay: &Relay| {
                    let url = format!("{scheme}://{}", relay.address());
                    world
                        .run(["token", "--no-cache"])
                        .set("CLOUDCONNEXA_BASE_URL", &url)
                        .start()
                };
                let outcomes = world.outcomes(relays.iter().map(run).collect());
                for outcome in outcomes {
                    assert!(!outcome.succeeds().is_empty());
                }
            });
        }
    }
}

#[test]
fn a_reset_takes_a_good_token_from_nobody() {
    let claim = Claim::that(
        "while every connection is reset or closed, a token that is still valid is returned, \
         and a cool-down of 5 s applies to the next callers",
    );
    let at = [0, 10, 90].map(|share| [(share, End::Reset), (share, End::Close)]);
    claim.counts(6, || {
        thread::scope(|scope| {
            for (share, end) in at.concat() {
                scope.spawn(move || {
                    let world = World::with(Sandbox::builder().no_rate_limit());
                    let address = world.sandbox.address();
                    let relay = Relay::new(through(address));
                    world.set(
                        "CLOUDCONNEXA_BASE_URL",
                        &format!("https://{}", relay.address()),
                    );
                    let after = After::Bytes(counted(&world).1 * share / 100);
                    let cut = cut(address, From::Server, after, end);
                    let fault = Fault::new("cut", cut, &["the connection"]).says(&["hint: retry"]);
                    survives(&world, &relay, &fault);
                });
            }
        });
    });
}
