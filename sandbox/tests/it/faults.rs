//! Each fault, as a client receives it.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cloudconnexa_sandbox::{Credential, Fault, Sandbox};
use serde_json::{Value, json};

use crate::client::{FORM, GRANT, TOKEN, basic, basic_token, http, networks, parse, rest, send};

/// Sends a valid token request without reading the response.
fn request(sandbox: &Sandbox) -> TcpStream {
    let Credential {
        client_id,
        client_secret,
        ..
    } = sandbox.credential();
    send(
        sandbox,
        "POST",
        TOKEN,
        &[("Authorization", &basic(&client_id, &client_secret)), FORM],
        GRANT,
    )
}

#[test]
fn queued_faults_come_first_then_the_standing_one() {
    let sandbox = Sandbox::builder().http().always(Fault::status(503)).start();
    sandbox.next(Fault::status(500));
    sandbox.next(Fault::status(502));
    let seen: Vec<u16> = (0..4).map(|_| basic_token(&sandbox).status).collect();
    assert_eq!(
        seen,
        [500, 502, 503, 503],
        "the queue in order, then the standing fault"
    );
    sandbox.always(None);
    assert_eq!(basic_token(&sandbox).status, 200, "then the real response");
}

#[test]
fn faults_do_not_affect_the_api() {
    let sandbox = http();
    sandbox.always(Some(Fault::status(503)));
    let token = sandbox.issue_token(&sandbox.credential().client_id);
    assert_eq!(networks(&sandbox, &token).status, 200, "the API works");
}

#[test]
fn latency_delays_real_responses_and_faults() {
    let sandbox = http();
    let latency = Duration::from_millis(60);
    sandbox.always(Some(Fault::Latency(latency)));
    sandbox.next(Fault::status(503));
    for status in [503, 200] {
        let start = Instant::now();
        assert_eq!(
            basic_token(&sandbox).status,
            status,
            "the same response, later"
        );
        assert!(start.elapsed() >= latency, "late");
    }
}

#[test]
fn status_fault_has_its_headers_and_body() {
    let sandbox = http();
    sandbox.next(Fault::Status {
        code: 429,
        headers: vec![
            ("Retry-After".to_owned(), "7".to_owned()),
            ("Content-Type".to_owned(), "text/html".to_owned()),
        ],
        body: b"<html>\0slow down".to_vec(),
    });
    let reply = basic_token(&sandbox);
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (429, "<html>\0slow down"),
        "unchanged"
    );
    assert_eq!(reply.header("Retry-After"), Some("7"), "with its header");
    assert_eq!(
        reply.header("X-RateLimit-Remaining"),
        None,
        "without other headers"
    );
}

#[test]
fn body_fault_is_sent_unchanged_with_200() {
    let sandbox = http();
    sandbox.next(Fault::Body(r#"{"access_token":"#.to_owned()));
    let reply = basic_token(&sandbox);
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, r#"{"access_token":"#),
        "not JSON"
    );
    assert_eq!(
        reply.header("Content-Type"),
        Some("application/json"),
        "declared as JSON"
    );
}

#[test]
fn cut_off_response_is_shorter_than_its_length() {
    let sandbox = http();
    sandbox.next(Fault::CutOff);
    let text = rest(&mut request(&sandbox)).expect("the connection ends by FIN");
    let reply = parse(&text);
    let announced: usize = reply
        .header("Content-Length")
        .expect("a promise")
        .parse()
        .expect("a number");
    assert_eq!(reply.status, 200, "a normal status");
    assert_eq!(
        reply.body.len(),
        announced / 2,
        "half of the body: {text:?}"
    );
    assert!(reply.body.starts_with('{'), "half of the real response");
}

#[test]
fn oversized_response_is_valid() {
    let sandbox = http();
    sandbox.next(Fault::Oversized(2 * 1024 * 1024));
    let reply = basic_token(&sandbox);
    assert_eq!(reply.body.len(), 2 * 1024 * 1024, "the requested size");
    assert_eq!(
        networks(&sandbox, &reply.token()).status,
        200,
        "its token is valid"
    );
}

#[test]
fn slow_body_does_not_end() {
    let sandbox = http();
    sandbox.next(Fault::SlowBody {
        chunk: 3,
        pause: Duration::from_millis(5),
    });
    let mut stream = request(&sandbox);
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while text.windows(8).filter(|it| it == b"3\r\n   \r\n").count() < 3 {
        let count = stream.read(&mut buffer).expect("more and more");
        assert_ne!(count, 0, "the body goes on");
        text.extend_from_slice(&buffer[..count]);
    }
    assert!(text.starts_with(b"HTTP/1.1 200 OK\r\n"), "a normal status");
}

#[test]
fn redirect_has_its_location() {
    let sandbox = http();
    sandbox.next(Fault::Redirect {
        status: 307,
        location: "https://other.test/x".to_owned(),
    });
    let reply = basic_token(&sandbox);
    assert_eq!(
        (reply.status, reply.header("Location")),
        (307, Some("https://other.test/x")),
        "another origin"
    );
}

#[test]
fn reset_is_a_tcp_rst() {
    let sandbox = http();
    sandbox.next(Fault::Reset);
    let error = rest(&mut request(&sandbox)).expect_err("no orderly end");
    assert_eq!(
        error.kind(),
        ErrorKind::ConnectionReset,
        "ECONNRESET, not an end of file"
    );
}

#[test]
fn close_is_an_end_of_file_before_the_response() {
    let sandbox = http();
    sandbox.next(Fault::Close);
    assert_eq!(
        rest(&mut request(&sandbox)).expect("an orderly end"),
        "",
        "FIN without a byte"
    );
}

#[test]
fn hanging_request_gets_no_response() {
    let sandbox = http();
    sandbox.next(Fault::Hang);
    let mut stream = request(&sandbox);
    sandbox.wait_for_token_requests(1);
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .expect("50 ms is a timeout");
    let error = rest(&mut stream).expect_err("neither bytes nor an end");
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{error}"
    );
    assert_eq!(
        sandbox.requests()[0].status,
        None,
        "recorded without a status"
    );
    assert_eq!(
        basic_token(&sandbox).status,
        200,
        "other requests are served"
    );
}

#[test]
fn expires_in_can_have_any_value_or_be_missing() {
    let sandbox = http();
    for value in [
        json!("3600"),
        json!(1.5),
        json!(-1),
        json!(1e300),
        Value::Null,
        json!([]),
    ] {
        sandbox.next(Fault::ExpiresIn(Some(value.clone())));
        let reply = basic_token(&sandbox);
        assert_eq!(reply.json()["expires_in"], value, "unchanged");
        assert_eq!(
            networks(&sandbox, &reply.token()).status,
            200,
            "the rest is unchanged"
        );
    }
    sandbox.next(Fault::ExpiresIn(None));
    assert_eq!(
        basic_token(&sandbox).json().get("expires_in"),
        None,
        "removed"
    );
}

#[test]
fn invalid_fault_is_reported_in_the_response() {
    let sandbox = http();
    sandbox.next(Fault::Redirect {
        status: 307,
        location: "two\nlines".to_owned(),
    });
    let reply = basic_token(&sandbox);
    assert_eq!(reply.status, 500, "the test sees its mistake");
    assert!(
        reply.body.starts_with("cloudconnexa-sandbox: "),
        "named in the body: {reply:?}"
    );
}

#[test]
fn date_header_follows_the_sandbox_clock() {
    let sandbox = http();
    let date = || networks(&sandbox, "none").header("Date").map(str::to_owned);
    let before = date().expect("every answer has a date");
    assert!(
        before.ends_with(" GMT") && before.len() == 29,
        "RFC 9110 section 5.6.7: {before}"
    );
    sandbox.advance(Duration::from_secs(48 * 60 * 60));
    let after = date().expect("every answer has a date");
    assert_ne!(before.get(..16), after.get(..16), "two days later");
}
