//! Tests of the messages for ureq's errors, and of responses of a server that answers once.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use ureq::Timeout;

use super::{CONNECT_LIMIT, Http, HttpSettings, Proxies, Stage, StageTracker};
use crate::oauth::{ErrorClass, ErrorMessage};
use crate::system::clock::{Deadline, SystemClock};
use crate::system::environment::Environment;
use crate::system::tls_roots::System;
use crate::types::uri::Uri;

fn no_variables() -> Environment {
    Environment::Given(BTreeMap::new())
}

/// A client for a port without a listener.
fn nowhere<'a>(system: &'a System<'a>) -> Http<'a> {
    let url = Uri::parse("http://127.0.0.1:1/").unwrap();
    let settings = HttpSettings {
        origin: url.origin().clone(),
        ca_file: None,
        proxies: Proxies::of(&no_variables()),
    };
    Http::new(&settings, system).unwrap()
}

#[test]
fn what_the_library_says_is_told_in_our_words() {
    let environment = no_variables();
    let system = System::new(&environment);
    let http = nowhere(&system);
    http.stages.set(Stage::Exchange);
    let told = |error: ureq::Error| http.failure(error, CONNECT_LIMIT).message().reason;
    let expired = || rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
    let proxy = |said: &str| ureq::Error::ConnectProxyFailed(said.to_owned());
    for (error, says) in [
        (ureq::Error::HostNotFound, "the name of http://127.0.0.1:1 "),
        (ureq::Error::ConnectionFailed, "cannot connect to http://"),
        (
            ureq::Error::Io(io::Error::from_raw_os_error(12)),
            "the connection to http://127.0.0.1:1 broke",
        ),
        (ureq::Error::Io(io::Error::other(expired())), "has expired"),
        (ureq::Error::Rustls(expired()), "has expired"),
        (proxy("proxy server responded 407/Foo 12"), "(407)"),
        (proxy("proxy server responded"), "no whole answer"),
        (ureq::Error::BodyExceedsLimit(1), "larger than 1 MiB"),
        (ureq::Error::LargeResponseHeader(2, 1), "is too large"),
        (ureq::Error::TooManyRedirects, "could not be made"),
    ] {
        let said = format!("{error:?}");
        let reason = told(error);
        assert!(reason.contains(says), "{said}: {reason}");
    }
}

#[test]
fn a_time_that_was_the_callers_own_says_nothing_of_the_server() {
    let environment = no_variables();
    let system = System::new(&environment);
    let http = nowhere(&system);
    http.stages.set(Stage::Connect);
    let told = |timeout, limit| http.failure(ureq::Error::Timeout(timeout), limit).message();
    let expected = |class, limit: &str| ErrorMessage {
        class,
        reason: format!("connecting to http://127.0.0.1:1 timed out after {limit}"),
        detail: None,
        hint: None,
    };
    let of_server = expected(ErrorClass::Unavailable, "10s");
    for timeout in [Timeout::Connect, Timeout::Resolve] {
        assert_eq!(told(timeout, CONNECT_LIMIT), of_server);
        assert_eq!(told(timeout, CONNECT_LIMIT * 2), of_server);
        let of_caller = expected(ErrorClass::TimedOut, "9s");
        assert_eq!(told(timeout, Duration::from_secs(9)), of_caller);
    }
    let of_run = expected(ErrorClass::TimedOut, "10s");
    assert_eq!(told(Timeout::Global, CONNECT_LIMIT), of_run);
}

#[test]
fn how_far_a_request_came_is_kept() {
    let stages = StageTracker::default();
    for stage in StageTracker::STAGES {
        stages.set(stage);
        assert_eq!(stages.stage(), stage);
    }
}

#[test]
fn without_time_nothing_is_tried() {
    let environment = no_variables();
    let system = System::new(&environment);
    let http = nowhere(&system);
    let clock = SystemClock::start();
    let url = Uri::parse("http://127.0.0.1:1/").unwrap();
    let Err(error) = http.get(
        &url,
        None,
        &clock,
        Deadline::from_now(&clock, Duration::ZERO),
    ) else {
        panic!("nobody listens there");
    };
    let message = error.message();
    assert_eq!(message.class, ErrorClass::TimedOut);
    assert_eq!(message.reason, "no time was left for a request");
}

#[test]
fn a_long_answer_is_read_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let length = 100 * 1024;
    let serve = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let body = "x".repeat(length);
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
    };
    let server = thread::spawn(serve);
    let environment = no_variables();
    let system = System::new(&environment);
    let clock = SystemClock::start();
    let deadline = Deadline::from_now(&clock, CONNECT_LIMIT);
    let seen = nowhere(&system).get(&Uri::parse(&url).unwrap(), None, &clock, deadline);
    server.join().unwrap();
    assert_eq!(seen.map(|seen| seen.answer.body.len()).ok(), Some(length));
}
