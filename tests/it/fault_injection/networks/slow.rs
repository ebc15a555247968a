//! Responses that are slow, incomplete, invalid, endless, or duplicated.

use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cloudconnexa_sandbox::Sandbox;

use super::{Fault, Relay, Serve, drained, read_head, reset, says, tries_all};
use crate::fault_injection::Claim;
use crate::harness::World;

const TOKEN: &str = "{\"access_token\":\"abc.def\",\"token_type\":\"bearer\",\"expires_in\":3600}";

/// Returns a URL without TLS. HTTP is the same with and without TLS; without it a server sends raw
/// bytes.
fn over_http(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn plain() -> World {
    World::with(Sandbox::builder().http().no_rate_limit())
}

fn answer(headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{headers}\r\n{body}").into_bytes()
}

/// Reads the request, and sends byte after byte with a pause before each. It ends when the other
/// side closes the connection, or by `end`.
fn trickles(bytes: Vec<u8>, pause: Duration, end: fn(TcpStream)) -> Serve {
    Arc::new(move |mut stream| {
        read_head(&mut stream);
        for byte in &bytes {
            thread::sleep(pause);
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
        }
        end(stream);
    })
}

/// Reads the request, sends all bytes in one piece, and resets the connection.
fn resets_after(bytes: Vec<u8>) -> Serve {
    Arc::new(move |mut stream| {
        read_head(&mut stream);
        drop(stream.write_all(&bytes));
        reset(&stream);
    })
}

/// Sends `first`, and then `again` until the client closes the connection.
fn endless(first: &'static str, again: &'static str) -> Serve {
    Arc::new(move |mut stream| {
        read_head(&mut stream);
        drop(stream.write_all(first.as_bytes()));
        let chunk = again.repeat(1 + 8192 / again.len());
        while stream.write_all(chunk.as_bytes()).is_ok() {}
    })
}

#[test]
fn an_answer_that_is_no_whole_answer_is_told_as_what_it_is() {
    let claim = Claim::that(
        "a response that is truncated, empty, of the wrong length, not HTTP, too large or \
         endless gives no token, is reported in the first line, and ends in time",
    );
    let not_http = "the answer is not HTTP/1.1";
    let not_whole = "closed the connection before the answer was whole";
    let large = "the header of the answer is too large";
    let no_token = "the answer is not JSON with an access token";
    let many = |count: usize, length: usize| {
        let line = format!("X-Filler: {}\r\n", "x".repeat(length));
        answer(&line.repeat(count), TOKEN)
    };
    let length = |length: &str| answer(&format!("Content-Length: {length}\r\n"), TOKEN);
    let chunked = |body: &str| answer("Transfer-Encoding: chunked\r\n", body);
    let half = &TOKEN[..20];
    let faults = [
        Fault::new("no answer", says(""), &[not_whole]),
        Fault::new("half a status line", says("HTTP/1.1 2"), &[not_whole]),
        Fault::new(
            "half a header",
            says("HTTP/1.1 200 OK\r\nContent-Ty"),
            &[not_whole],
        ),
        Fault::new(
            "header without end",
            says("HTTP/1.1 200 OK\r\nA: b\r\n"),
            &[not_whole],
        ),
        Fault::new("no body", says(length("75")[..70].to_vec()), &[not_whole]),
        Fault::new("too short a body", says(length("500")), &[not_whole]),
        Fault::new(
            "half a chunk",
            says(chunked(&format!("4b\r\n{half}"))),
            &[not_whole],
        ),
        Fault::new(
            "no last chunk",
            says(chunked(&format!("14\r\n{half}\r\n"))),
            &[not_whole],
        ),
        Fault::new("too long a body", says(length("20")), &[no_token]),
        Fault::new(
            "until the end, but half",
            says(answer("", half)),
            &[no_token],
        ),
        Fault::new(
            "an empty body",
            says(answer("Content-Length: 0\r\n", "")),
            &[no_token],
        ),
        Fault::new("an invalid length", says(length("many")), &[not_http]),
        Fault::new("a negative length", says(length("-1")), &[not_http]),
        Fault::new(
            "a length that overflows",
            says(length("99999999999999999999999")),
            &[not_http],
        ),
        Fault::new(
            "a length of 1 TiB",
            says(length("1099511627776")),
            &[not_whole],
        ),
        Fault::new(
            "two lengths",
            says(answer("Content-Length: 9\r\nContent-Length: 75\r\n", TOKEN)),
            &[not_http],
        ),
        Fault::new(
            "chunks of words",
            says(chunked("zz\r\nno\r\n")),
            &[not_http],
        ),
        Fault::new(
            "a negative chunk",
            says(chunked("-5\r\nabcde\r\n0\r\n\r\n")),
            &[not_http],
        ),
        Fault::new(
            "a chunk beyond all",
            says(chunked("ffffffffffffffffff\r\n")),
            &[not_http],
        ),
        Fault::new(
            "a chunk without its end",
            says(chunked("3\r\nabcde\r\n0\r\n\r\n")),
            &[not_http],
        ),
        Fault::new("HTTP/0.9", says(TOKEN), &[not_http]),
        Fault::new(
            "HTTP/2",
            says(b"\0\0\x12\x04\0\0\0\0\0".to_vec()),
            &[not_http],
        ),
        Fault::new("HTTP/7.0", says("HTTP/7.0 200 OK\r\n\r\n"), &[not_http]),
        Fault::new(
            "an invalid status",
            says("HTTP/1.1 abc\r\n\r\n"),
            &[not_http],
        ),
        Fault::new(
            "a status of two digits",
            says("HTTP/1.1 20 OK\r\n\r\n"),
            &[not_http],
        ),
        Fault::new("rubbish", says(vec![0xde; 4096]), &[not_http]),
        Fault::new(
            "a NUL in a header",
            says(answer("A: b\0c\r\n", TOKEN)),
            &[not_http],
        ),
        Fault::new(
            "a header without a name",
            says(answer(": b\r\n", TOKEN)),
            &[not_http],
        ),
        Fault::new(
            "a space in a name",
            says(answer("A b: c\r\n", TOKEN)),
            &[not_http],
        ),
        Fault::new("10,000 headers", says(many(10_000, 1)), &[large]),
        Fault::new("a header of 1 MiB", says(many(1, 1024 * 1024)), &[large]),
        Fault::new(
            "headers without end",
            endless("HTTP/1.1 200 OK\r\n", "A: b\r\n"),
            &[large],
        ),
        Fault::new(
            "a header without end",
            endless("HTTP/1.1 200 OK\r\nA: ", "b"),
            &[large],
        ),
        Fault::new(
            "a status line without end",
            endless("HTTP/1.1 200 ", "b"),
            &[large],
        ),
        Fault::new(
            "a body without end",
            endless("HTTP/1.1 200 OK\r\n\r\n", " "),
            &["larger than 1 MiB"],
        ),
        Fault::new(
            "chunks without end",
            endless(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                concat!("20\r\n", "                                ", "\r\n"),
            ),
            &["larger than 1 MiB"],
        ),
        Fault::new(
            "101",
            says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"),
            &["101"],
        ),
        Fault::new("204", says("HTTP/1.1 204 No Content\r\n\r\n"), &[no_token]),
        Fault::new(
            "a second answer inside the first",
            says(answer(
                "X: a\r\nContent-Length: 2\r\n",
                &format!("{{}}HTTP/1.1 200 OK\r\nContent-Length: 75\r\n\r\n{TOKEN}"),
            )),
            &[no_token],
        ),
    ];
    claim.counts(faults.len(), || tries_all(&faults, over_http, plain));
}

#[test]
fn an_answer_that_does_not_come_in_time_ends_with_the_run() {
    let claim = Claim::that(
        "a server that sends nothing, sends slowly, sends only 1xx or keeps the connection half \
         open causes an error at `--timeout`, and the first line names the missing response",
    );
    let whole = "sent no complete response";
    let second = Duration::from_secs(1);
    let keep = |stream| drop(drained(stream));
    let hold = |bytes: Vec<u8>| trickles(bytes, Duration::ZERO, keep);
    let body = answer("Content-Length: 75\r\n", "");
    let faults = [
        Fault::new(
            "a byte a second",
            trickles(answer("", TOKEN), second, keep),
            &[whole],
        ),
        Fault::new("a header and no more", hold(body.clone()), &[whole]),
        Fault::new("half a header", hold(body[..30].to_vec()), &[whole]),
        Fault::new(
            "no end of chunks",
            hold(answer("Transfer-Encoding: chunked\r\n", "4\r\n")),
            &[whole],
        ),
        Fault::new("no end of the body", hold(answer("", TOKEN)), &[whole]),
        Fault::new(
            "100 and no more",
            hold(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
            &[whole],
        ),
        Fault::new(
            "103 and no more",
            hold(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
            &[whole],
        ),
        Fault::new(
            "100 without end",
            Arc::new(|mut stream| {
                read_head(&mut stream);
                while stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").is_ok() {
                    thread::sleep(Duration::from_millis(1));
                }
            }),
            &[whole],
        ),
        Fault::new("silence", super::silence(), &[whole]),
    ];
    let faults = faults.map(|fault| fault.says(&["within 2s", "--timeout"]).endless());
    claim.counts(faults.len(), || tries_all(&faults, over_http, plain));
}

#[test]
fn a_slow_answer_that_comes_in_time_is_the_answer() {
    let claim = Claim::that(
        "a complete response is accepted if it arrives byte by byte, after 1xx, in chunks, \
         until the end of the connection, or before a reset",
    );
    let keep = |stream| drop(drained(stream));
    let close = drop;
    let length = format!("Content-Length: {}\r\n", TOKEN.len());
    let plain_answer = answer(&length, TOKEN);
    let early = |what: &str| [what.as_bytes(), &plain_answer].concat();
    let chunks = TOKEN
        .chars()
        .fold(String::new(), |all, c| all + &format!("1\r\n{c}\r\n"));
    let chunked = |end: &str| answer("Transfer-Encoding: chunked\r\n", &format!("{chunks}{end}"));
    let quick = Duration::ZERO;
    for (name, serve) in [
        (
            "byte after byte",
            trickles(plain_answer.clone(), Duration::from_millis(10), close),
        ),
        ("after 100", says(early("HTTP/1.1 100 Continue\r\n\r\n"))),
        (
            "after 103",
            says(early("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")),
        ),
        (
            "after 100 twice",
            says(early(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(2))),
        ),
        ("a chunk a byte", says(chunked("0\r\n\r\n"))),
        (
            "chunks with extensions",
            says(answer(
                "Transfer-Encoding: chunked\r\n",
                &format!("{:x};a=b\r\n{TOKEN}\r\n0\r\nX: y\r\n\r\n", TOKEN.len()),
            )),
        ),
        ("until the end", says(answer("", TOKEN))),
        ("HTTP/1.0", says(format!("HTTP/1.0 200 OK\r\n\r\n{TOKEN}"))),
        (
            "line feeds alone",
            says(format!(
                "HTTP/1.1 200 OK\n{}\n{TOKEN}",
                length.replace('\r', "")
            )),
        ),
        (
            "more than was told",
            says([&plain_answer[..], b"HTTP/1.1 500 X\r\n\r\n"].concat()),
        ),
        (
            "whole, then held open",
            trickles(plain_answer.clone(), quick, keep),
        ),
        ("whole, then reset", resets_after(plain_answer.clone())),
    ] {
        claim.holds(|| {
            let (world, relay) = (plain(), Relay::new(serve));
            world.set("CLOUDCONNEXA_BASE_URL", &over_http(relay.address()));
            assert_eq!(world.token(), "abc.def", "{name}");
            assert_eq!(relay.taken(), 1, "{name}: no retry");
        });
    }
}

#[test]
fn a_kept_connection_that_is_gone_costs_no_answer() {
    let claim = Claim::that(
        "if a server promises to keep a connection and closes or resets it, the second form of \
         request is sent on a new connection",
    );
    for end in [
        |stream: &TcpStream| drop(stream.shutdown(Shutdown::Both)),
        |stream: &TcpStream| reset(stream),
        |_: &TcpStream| {},
    ] {
        claim.holds(|| {
            let refused = "HTTP/1.1 401 Unauthorized\r\nConnection: keep-alive\r\n\
                           Keep-Alive: timeout=60\r\nContent-Length: 0\r\n\r\n";
            let serve: Serve = Arc::new(move |mut stream| {
                loop {
                    let head = read_head(&mut stream);
                    if head.is_empty() {
                        return;
                    }
                    let is_query = head.starts_with("post /api/v1/oauth/token?");
                    let length = format!("Content-Length: {}\r\n", TOKEN.len());
                    let good = answer(&length, TOKEN);
                    let said = if is_query { &good } else { refused.as_bytes() };
                    drop(stream.write_all(said));
                    if !is_query {
                        end(&stream);
                    }
                }
            });
            let (world, relay) = (plain(), Relay::new(serve));
            world.set("CLOUDCONNEXA_BASE_URL", &over_http(relay.address()));
            assert_eq!(world.token(), "abc.def");
        });
    }
}

#[test]
fn what_ends_a_kept_connection_is_told_as_the_exchange_that_it_was() {
    let claim = Claim::that(
        "a second form of request that is sent on a kept connection and gets no response is \
         reported as a missing response, not as a failed connection",
    );
    claim.holds(|| {
        let refused = "HTTP/1.1 401 Unauthorized\r\nConnection: keep-alive\r\n\
                       Content-Length: 0\r\n\r\n";
        let serve: Serve = Arc::new(move |mut stream| {
            read_head(&mut stream);
            drop(stream.write_all(refused.as_bytes()));
            // Until the client closes the connection.
            while !read_head(&mut stream).is_empty() {}
        });
        let (world, relay) = (plain(), Relay::new(serve));
        let place = over_http(relay.address());
        world.set("CLOUDCONNEXA_BASE_URL", &place);
        let stderr = world.run(["token", "--timeout", "2s"]).fails(6);
        assert_eq!(relay.taken(), 1, "both went over one connection: {stderr}");
        let words = format!("{place} sent no complete response within");
        assert!(stderr.contains(&words), "{stderr}");
    });
}

#[test]
fn a_server_that_accepts_and_never_answers_ends_with_the_run() {
    let claim =
        Claim::that("an invocation without a response ends at its `--timeout` and not later");
    let hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hole.local_addr().unwrap();
    let world = World::new();
    let tls = format!("no TLS handshake with https://{address} within 1s");
    let http = format!("http://{address} sent no complete response within 1s");
    for (scheme, words) in [("https", &tls), ("http", &http)] {
        for verb in ["token", "header"] {
            claim.holds(|| {
                world.set("CLOUDCONNEXA_BASE_URL", &format!("{scheme}://{address}"));
                let began = Instant::now();
                let stderr = world.run([verb, "--timeout", "1s"]).fails(6);
                assert!(
                    began.elapsed() < Duration::from_secs(10),
                    "{:?}",
                    began.elapsed()
                );
                assert!(stderr.contains(words), "{stderr}");
                assert!(stderr.contains("hint: retry"), "{stderr}");
                assert!(
                    world.entries().is_empty(),
                    "a short timeout sets no cool-down"
                );
            });
        }
    }
}
