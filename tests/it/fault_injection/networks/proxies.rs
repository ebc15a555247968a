//! Proxies that refuse, send another response, hang, cut the connection, or are not reachable. HTTP
//! proxies use CONNECT, SOCKS proxies their own protocol; tinyproxy is a real proxy.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use cloudconnexa_sandbox::Sandbox;

use super::{
    Fault, Relay, Serve, drained, in_own_network, read_head, reset, says, shell, silence, survives,
    through,
};
use crate::fault_injection::Claim;
use crate::harness::World;
use crate::network::Tinyproxy;

/// An address on which no process listens: port 1 of loopback.
const NOBODY: &str = "127.0.0.1:1";

/// Opens the tunnel that CONNECT requests.
fn opens() -> Serve {
    Arc::new(|mut client| {
        let head = read_head(&mut client);
        let target = head.split(' ').nth(1).unwrap_or_default();
        let target: SocketAddr = target.parse().unwrap();
        drop(client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n"));
        through(target)(client);
    })
}

/// Reads CONNECT, and calls `end` with the connection.
fn then(end: impl Fn(TcpStream) + Send + Sync + 'static) -> Serve {
    Arc::new(move |mut stream| {
        read_head(&mut stream);
        end(stream);
    })
}

/// Tries each fault of a proxy, in a world whose server is behind that proxy.
fn behind(claim: &Claim, scheme: &str, well: &Serve, faults: &[Fault]) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    claim.counts(faults.len(), || {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let take = || next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    while let Some(fault) = faults.get(take()) {
                        let world = World::new();
                        let proxy = Relay::new(Arc::clone(well));
                        world.watch("right-pass-word");
                        let url = format!("{scheme}://some:right-pass-word@{}", proxy.address());
                        world.set("HTTPS_PROXY", &url);
                        survives(&world, &proxy, fault);
                    }
                });
            }
        });
    });
}

#[test]
fn a_proxy_that_does_not_open_the_way_is_told_from_the_server() {
    let claim = Claim::that(
        "an HTTP proxy that refuses, sends another response, closes the connection or hangs is \
         named in the first line, without its password, and a token that is still valid is \
         returned",
    );
    let refused = |status: &str| says(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n"));
    let closed = "in the TLS handshake";
    let proxy = "the proxy 127.0.0.1:";
    let check = "check `HTTPS_PROXY` (its user and password too) and `NO_PROXY`";
    let no_tls = "what answers there does not speak TLS";
    let faults = [
        Fault::new(
            "407",
            refused("407 Proxy Authentication Required"),
            &[proxy, "it wants a user and password, or others (407)"],
        )
        .says(&[check]),
        Fault::new(
            "403",
            refused("403 Forbidden"),
            &[proxy, "it forbids https://127.0.0.1:", "(403)"],
        )
        .says(&[check]),
        Fault::new(
            "502",
            refused("502 Bad Gateway"),
            &[proxy, "it cannot reach https://", "(502)"],
        )
        .says(&["hint: retry"]),
        Fault::new(
            "503",
            refused("503 Busy"),
            &[proxy, "it cannot reach https://", "(503)"],
        ),
        Fault::new("302", refused("302 Found"), &[proxy, "it answered 302"]).says(&[check]),
        Fault::new(
            "204",
            refused("204 No Content"),
            &[proxy, "it answered 204"],
        ),
        Fault::new("100", refused("100 Continue"), &[proxy, "it answered 100"]),
        Fault::new(
            "rubbish",
            says(vec![0xde; 300]),
            &[
                proxy,
                "answered CONNECT with something that is not HTTP/1.1",
            ],
        )
        .says(&[check]),
        Fault::new(
            "SSH",
            says("SSH-2.0-OpenSSH_9.2p1\r\n"),
            &[proxy, "not HTTP/1.1"],
        ),
        Fault::new(
            "half an answer",
            says("HTTP/1.1 200 Conn"),
            &[proxy, "gave no whole answer to CONNECT"],
        ),
        Fault::new(
            "no answer",
            says(""),
            &[proxy, "gave no whole answer to CONNECT"],
        )
        .says(&["hint: retry"]),
        Fault::new(
            "100 headers",
            says(format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(100))),
            &[proxy, "answered CONNECT with a header that is too large"],
        ),
        Fault::new(
            "reset",
            then(|stream| reset(&stream)),
            &[proxy, "reset the connection"],
        ),
        Fault::new(
            "reset at once",
            Arc::new(|stream| reset(&stream)),
            &[proxy, "reset the connection"],
        ),
        Fault::new(
            "hangs",
            silence(),
            &[proxy, "did not open a tunnel to https://127", "within 2s"],
        )
        .endless(),
        Fault::new(
            "hangs after CONNECT",
            then(|stream| drop(drained(stream))),
            &[proxy, "did not open a tunnel to https://127", "within 2s"],
        )
        .endless(),
        Fault::new(
            "opens and cuts",
            then(|mut stream| {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
                drop(stream.shutdown(Shutdown::Write));
                drop(drained(stream));
            }),
            &["through the proxy", closed],
        ),
        Fault::new(
            "opens and hangs",
            then(|mut stream| {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
                drop(drained(stream));
            }),
            &["no TLS handshake with", "through the proxy", "within 2s"],
        )
        .endless(),
        Fault::new(
            "answers itself",
            then(|mut stream| {
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
                let body = "{\"access_token\":\"theirs\",\"token_type\":\"bearer\"}";
                drop(write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: 47\r\n\r\n{body}"
                ));
                drop(drained(stream));
            }),
            &["through the proxy", no_tls],
        ),
        Fault::new(
            "a page instead of the way",
            says(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
            ),
            &["through the proxy", no_tls],
        ),
        Fault::new(
            "opens to another",
            {
                let other = Arc::new(Sandbox::start());
                then(move |mut stream| {
                    drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
                    through(other.address())(stream);
                    assert!(
                        other.requests().is_empty(),
                        "nothing is sent to an untrusted server"
                    );
                })
            },
            &["through the proxy", "no CA that is known here has signed"],
        ),
    ];
    behind(&claim, "http", &opens(), &faults);
}

/// Handles SOCKS 5 with a user and a password, up to the end of `replies`: method, authentication
/// status, reply.
fn socks(replies: &'static [&'static [u8]]) -> Serve {
    Arc::new(move |mut stream| {
        // The client's messages contain their own lengths: greeting, user and password, request.
        for reply in replies {
            let mut buffer = [0; 600];
            if stream.read(&mut buffer).unwrap_or(0) == 0 {
                return;
            }
            drop(stream.write_all(reply));
        }
        drop(stream.shutdown(Shutdown::Write));
        drop(drained(stream));
    })
}

/// A SOCKS 5 proxy that opens the requested connection.
fn opens_socks() -> Serve {
    Arc::new(|mut stream| {
        let mut buffer = [0; 600];
        for reply in [&[5, 2][..], &[1, 0]] {
            assert!(stream.read(&mut buffer).unwrap() > 0);
            stream.write_all(reply).unwrap();
        }
        let length = stream.read(&mut buffer).unwrap();
        let request = &buffer[..length];
        assert_eq!(request[..4], [5, 1, 0, 1], "CONNECT to an address");
        let ip: [u8; 4] = request[4..8].try_into().unwrap();
        let port = u16::from_be_bytes([request[8], request[9]]);
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        through(SocketAddr::from((ip, port)))(stream);
    })
}

#[test]
fn a_socks_proxy_that_does_not_open_the_way_is_told_from_the_server() {
    let claim = Claim::that(
        "a SOCKS proxy that refuses, requires another password, sends another response, closes \
         the connection or hangs is named in the first line, without its password",
    );
    let proxy = "the proxy 127.0.0.1:";
    let refused = |number: u8| -> Serve {
        let replies: [&'static [u8]; 9] = [
            &[5, 0],
            &[5, 1],
            &[5, 2],
            &[5, 3],
            &[5, 4],
            &[5, 5],
            &[5, 6],
            &[5, 7],
            &[5, 99],
        ];
        let reply = replies[usize::from(number)];
        Arc::new(move |stream| {
            let all: &'static [&'static [u8]] = Box::leak(Box::new([&[5, 2][..], &[1, 0], reply]));
            socks(all)(stream);
        })
    };
    let password = "it wants another user and password";
    let no_way = "did not open a tunnel to https://127.0.0.1:";
    let not_socks = "does not speak SOCKS as its URL says";
    let faults = [
        Fault::new(
            "a wrong password",
            socks(&[&[5, 2], &[1, 1]]),
            &[proxy, password],
        ),
        Fault::new("no method", socks(&[&[5, 0xff]]), &[proxy, password]),
        Fault::new("general", refused(1), &[proxy, no_way]).says(&["general SOCKS server failure"]),
        Fault::new("by its rules", refused(2), &[proxy, no_way]).says(&["not allowed by ruleset"]),
        Fault::new("refused", refused(5), &[proxy, no_way]).says(&["cause: connection refused"]),
        Fault::new("unknown", refused(8), &[proxy, no_way]),
        Fault::new(
            "HTTP",
            socks(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"]),
            &[proxy, not_socks],
        ),
        Fault::new(
            "cuts",
            socks(&[&[5, 2]]),
            &[proxy, "closed the connection before"],
        ),
        Fault::new("cuts at once", Arc::new(drop), &[proxy]),
        Fault::new(
            "reset",
            Arc::new(|stream| reset(&stream)),
            &[proxy, "reset the connection"],
        ),
        Fault::new(
            "hangs",
            silence(),
            &["connecting to https://127", proxy, "after 2s"],
        )
        .endless(),
    ];
    behind(&claim, "socks5", &opens_socks(), &faults);
}

#[test]
fn a_proxy_of_https_is_told_from_the_server() {
    let claim = Claim::that(
        "if the certificate of a proxy is invalid, the error names the proxy and not the server",
    );
    claim.holds(|| {
        let world = World::new();
        let other = Sandbox::start();
        let address = other.address();
        world.set("HTTPS_PROXY", &format!("https://{address}"));
        let stderr = world.run(["token"]).fails(6);
        let first = stderr.lines().next().unwrap();
        let whom = format!("the TLS connection to the proxy {address} cannot be trusted");
        assert!(first.contains(&whom), "{stderr}");
        assert_eq!(world.sandbox.token_requests(), 0);
    });
}

#[test]
fn a_proxy_is_given_its_password_and_a_wrong_one_is_not_shown() {
    let claim = Claim::that("the password of a proxy is sent to the proxy and never shown");
    let proxy = Tinyproxy::with("BasicAuth somebody right-pass-word");
    let host = proxy.url();
    let host = host.strip_prefix("http://").unwrap();
    let world = World::new();
    for (user, secret) in [
        ("", ""),
        ("somebody:wrong-pass-word@", "wrong-pass-word"),
        ("somebody:wrong%2Dpass%2Dword@", "wrong%2Dpass%2Dword"),
        ("right-pass-word:somebody@", "right-pass-word"),
    ] {
        world.watch(secret);
        claim.holds(|| {
            world.set("HTTPS_PROXY", &format!("http://{user}{host}"));
            for verb in ["token", "status", "doctor"] {
                let refused = world.run([verb, "--refresh", "-v"]).outcome();
                assert!(verb == "status" || refused.code == Some(6), "{refused:?}");
                assert!(
                    verb != "token" || refused.stderr.contains("it wants a user and password"),
                    "{refused:?}"
                );
                let shown = refused.stdout.contains("pass-word") || refused.stdout.contains("%2D");
                assert!(!shown, "{refused:?}");
            }
        });
    }
    assert_eq!(world.sandbox.token_requests(), 0);

    world.watch("right-pass-word");
    world.set(
        "HTTPS_PROXY",
        &format!("http://somebody:right-pass-word@{host}"),
    );
    world.run(["token", "--refresh"]).succeeds();
    assert!(proxy.let_through(world.sandbox.address()));
}

#[test]
fn what_a_real_proxy_refuses_is_told() {
    let claim = Claim::that(
        "if tinyproxy forbids a request or cannot reach the server, its status is reported",
    );
    let unavailable = |world: &World, first: &str, says: &str| {
        claim.holds(|| {
            let stderr = world.run(["token", "--timeout", "10s"]).fails(6);
            assert!(stderr.lines().next().unwrap().contains(first), "{stderr}");
            assert!(stderr.contains(says), "{stderr}");
            assert_eq!(world.sandbox.token_requests(), 0, "nothing was sent");
        });
    };
    let (world, forbidding) = (World::new(), Tinyproxy::with("ConnectPort 1"));
    world.set("HTTPS_PROXY", &forbidding.url());
    unavailable(&world, "it forbids https://127.0.0.1:", "`NO_PROXY`");

    let (world, proxy) = (World::new(), Tinyproxy::start());
    world.set("HTTPS_PROXY", &proxy.url());
    world.set("CLOUDCONNEXA_BASE_URL", &format!("https://{NOBODY}"));
    unavailable(
        &world,
        "it cannot reach https://127.0.0.1:1 (500)",
        "hint: retry",
    );

    let world = World::new();
    world.watch("proxy-pass-word");
    world.set(
        "HTTPS_PROXY",
        &format!("http://somebody:proxy-pass-word@{NOBODY}"),
    );
    let refused = format!("is unavailable: the proxy {NOBODY} refused the connection");
    unavailable(&world, &refused, "check the network, the proxy");
}

#[test]
fn no_proxy_goes_around_the_proxy() {
    let claim = Claim::that(
        "`NO_PROXY` is obeyed in each of its forms, and an entry that does not match the server \
         has no effect",
    );
    let proxy = Relay::new(opens());
    let world = World::new();
    let (address, port) = (world.sandbox.address(), world.sandbox.address().port());
    world.set("HTTPS_PROXY", &format!("http://{}", proxy.address()));
    let by_name = format!("https://localhost:{port}");
    let by_address = format!("https://{address}");
    let is_asked = |url: &str, name: &str, exception: &str| {
        let before = proxy.taken();
        let run = world
            .run(["token", "--no-cache"])
            .set("CLOUDCONNEXA_BASE_URL", url);
        run.set(name, exception).succeeds();
        proxy.taken() > before
    };
    world.sandbox.always(None);
    for (url, exception, is_around) in [
        (&by_address, "127.0.0.1".to_owned(), true),
        (&by_address, "*".to_owned(), true),
        (&by_address, "example.test, 127.0.0.0/8".to_owned(), true),
        (&by_address, format!("127.0.0.1:{port}"), true),
        (&by_address, "127.0.0.1:1".to_owned(), false),
        (&by_address, "10.0.0.0/8,::1,0.0.1".to_owned(), false),
        (
            &by_address,
            "127.0.0.0/33, 127.0.0.0/x, /8".to_owned(),
            false,
        ),
        (&by_name, "LOCALHOST".to_owned(), true),
        (&by_name, ".localhost".to_owned(), true),
        (&by_name, format!("localhost:{port}"), true),
    ] {
        for name in ["NO_PROXY", "no_proxy"] {
            claim.holds(|| {
                let is_asked = is_asked(url, name, &exception);
                assert_eq!(is_asked, !is_around, "{name}={exception} for {url}");
            });
            world.advance(std::time::Duration::from_secs(30));
        }
    }
}

#[test]
fn a_proxy_that_cannot_be_reached_is_no_proxy_that_opens_no_way() {
    let claim = Claim::that("a proxy whose packets are dropped is reported as a failed connection");
    in_own_network(|| {
        let world = World::new();
        shell("iptables -A INPUT -p tcp --dport 3128 -j DROP");
        world.set("HTTPS_PROXY", "http://127.0.0.1:3128");
        let url = world.sandbox.base_url();
        let told =
            format!("connecting to {url} through the proxy 127.0.0.1:3128 timed out after 1s");
        claim.holds(|| {
            let stderr = world.run(["token", "--timeout", "1s"]).fails(6);
            assert!(stderr.contains(&told), "{stderr}");
        });
    });
}
