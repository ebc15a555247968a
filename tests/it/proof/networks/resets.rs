//! Connections that end where they should not: after any number of bytes in either direction, in any
//! record of a handshake, by RST or by FIN.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cloudconnexa_sandbox::Sandbox;

use super::{Fault, Relay, Serve, reset, survives, through};
use crate::harness::World;
use crate::proof::{Claim, tries};

/// Which bytes are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Client,
    Server,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Reset,
    Close,
}

/// Where it ends.
#[derive(Debug, Clone, Copy)]
enum After {
    Bytes(usize),
    /// Whole TLS records.
    Records(usize),
}

/// Passes everything on, but what one side says only so far; then it ends, for both.
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
        let uncounted = thread::spawn(move || {
            let (mut from, mut to) = back;
            drop(std::io::copy(&mut from, &mut to));
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

/// How many bytes either side says when all goes well.
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

/// What may be said of a connection that ended so; each is a whole reason.
const IN_HANDSHAKE: [&str; 2] = [
    "closed the connection in the TLS handshake",
    "reset the connection in the TLS handshake",
];
const IN_EXCHANGE: [&str; 2] = [
    "closed the connection before the answer was whole",
    "reset the connection",
];

/// Points all over a length, the first and the last among them.
fn spread(length: usize, count: usize) -> Vec<usize> {
    let last = length.saturating_sub(1);
    let mut points: Vec<usize> = (0..count)
        .map(|at| last * at / (count - 1).max(1))
        .collect();
    points.dedup();
    points
}

/// Cuts every connection of a run at each point, a few runs at once: each has a relay of its own.
fn all_cut(claim: &Claim, world: &World, points: &[(From, After, End)], says: &[&str]) {
    let scheme = world.sandbox.base_url().split(':').next().unwrap();
    for batch in points.chunks(12) {
        claim.counts(batch.len(), || {
            let relays: Vec<Relay> = batch
                .iter()
                .map(|(from, after, end)| {
                    Relay::new(cut(world.sandbox.address(), *from, *after, *end))
                })
                .collect();
            let run = |relay: &Relay| {
                let url = format!("{scheme}://{}", relay.address());
                // A relay can have the port of one before it, and would find what is noted of that.
                world
                    .run(["token", "--no-cache"])
                    .set("CLOUDCONNEXA_BASE_URL", &url)
                    .start()
            };
            let outcomes = world.outcomes(relays.iter().map(run).collect());
            for ((outcome, point), relay) in outcomes.into_iter().zip(batch).zip(&relays) {
                let stderr = outcome.fails(6);
                let first = stderr.lines().next().unwrap();
                let is_told = says.iter().any(|words| {
                    first.ends_with(words) && first.contains(&relay.address().to_string())
                });
                assert!(is_told, "{point:?}: {first}");
                assert!(relay.taken() >= 2, "{point:?}: it is tried again");
            }
        });
    }
}

#[test]
fn a_connection_that_ends_after_any_number_of_bytes_is_told_and_tried_again() {
    let claim = Claim::that(
        "a connection that is reset or closed after any number of bytes, said by either side, is told \
         as what it is and tried again",
    );
    let count = tries(4, 40);
    let world = World::with(Sandbox::builder().no_rate_limit());
    let (from_client, from_server) = counted(&world);
    let mut points = Vec::new();
    for end in [End::Reset, End::Close] {
        // The last record only says that nothing more comes.
        let at = |from, length| {
            spread(length - 100, count)
                .into_iter()
                .map(move |n| (from, n))
        };
        for (from, n) in at(From::Client, from_client).chain(at(From::Server, from_server)) {
            points.push((from, After::Bytes(n), end));
        }
    }
    all_cut(
        &claim,
        &world,
        &points,
        &[IN_HANDSHAKE, IN_EXCHANGE].concat(),
    );

    // Without TLS the place is known: it is always in the exchange.
    let world = World::with(Sandbox::builder().http().no_rate_limit());
    let (from_client, from_server) = counted(&world);
    for (from, after, _) in &mut points {
        let length = match from {
            From::Client => from_client,
            From::Server => from_server,
        };
        if let After::Bytes(n) = after {
            *n %= length;
        }
    }
    all_cut(&claim, &world, &points, &IN_EXCHANGE);
}

#[test]
fn a_handshake_that_ends_after_any_record_is_told_as_one() {
    let claim = Claim::that(
        "a connection that is reset or closed after any record of the TLS handshake is told as that, \
         and tried again",
    );
    let world = World::with(Sandbox::builder().no_rate_limit());
    let mut points = Vec::new();
    for end in [End::Reset, End::Close] {
        // The server's: hello, change of cipher, and what follows in one record or more; of the
        // client's only the first comes before that.
        points.push((From::Client, After::Records(1), end));
        for records in 1..3 {
            points.push((From::Server, After::Records(records), end));
        }
    }
    for _ in 0..tries(1, 50) {
        all_cut(&claim, &world, &points, &IN_HANDSHAKE);
    }
}

#[test]
fn a_run_whose_first_connection_is_cut_anywhere_ends_with_a_token_all_the_same() {
    let claim = Claim::that(
        "a run whose first connection is reset or closed after any number of bytes ends with a token, \
         in silence",
    );
    let count = tries(4, 200);
    let world = World::with(Sandbox::builder().no_rate_limit());
    let (from_client, from_server) = counted(&world);
    for end in [End::Reset, End::Close] {
        for (from, length) in [(From::Client, from_client), (From::Server, from_server)] {
            for batch in spread(length, count).chunks(12) {
                claim.counts(batch.len(), || {
                    let relay = |after: &usize| {
                        let address = world.sandbox.address();
                        let broken = cut(address, from, After::Bytes(*after), end);
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
                        let url = format!("https://{}", relay.address());
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
}

#[test]
fn a_reset_takes_a_good_token_from_nobody() {
    let claim = Claim::that(
        "while every connection is reset or closed a token that is still good is the answer, and the \
         next callers are bound for 5 s",
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
