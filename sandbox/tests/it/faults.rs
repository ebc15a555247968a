//! Every fault, as it comes over the wire.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use cloudconnexa_sandbox::{Credential, Fault, Sandbox};
use serde_json::{Value, json};

use crate::client::{FORM, GRANT, TOKEN, basic, basic_token, http, networks, parse, rest, send};

/// Sends a right token request and leaves the answer to be read.
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
fn scripted_faults_happen_in_order_and_then_the_standing_one() {
    let sandbox = Sandbox::builder().http().always(Fault::status(503)).start();
    sandbox.next(Fault::status(500));
    sandbox.next(Fault::status(502));
    let seen: Vec<u16> = (0..4).map(|_| basic_token(&sandbox).status).collect();
    assert_eq!(
        seen,
        [500, 502, 503, 503],
        "the queue, then the standing fault again and again"
    );
    sandbox.always(None);
    assert_eq!(basic_token(&sandbox).status, 200, "and then the truth");
}

#[test]
fn faults_are_of_the_token_endpoint_only() {
    let sandbox = http();
    sandbox.always(Some(Fault::status(503)));
    let token = sandbox.issue_token(&sandbox.credential().client_id);
    assert_eq!(networks(&sandbox, &token).status, 200, "the API works on");
}

#[test]
fn a_latency_comes_before_the_truth_and_before_another_fault() {
    let sandbox = http();
    let latency = Duration::from_millis(60);
    sandbox.always(Some(Fault::Latency(latency)));
    sandbox.next(Fault::status(503));
    for status in [503, 200] {
        let start = Instant::now();
        assert_eq!(
            basic_token(&sandbox).status,
            status,
            "late, but the same answer"
        );
        assert!(start.elapsed() >= latency, "late");
    }
}

#[test]
fn a_status_carries_its_headers_and_any_bytes() {
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
        "as it was given"
    );
    assert_eq!(reply.header("Retry-After"), Some("7"), "headers too");
    assert_eq!(
        reply.header("X-RateLimit-Remaining"),
        None,
        "and nothing besides"
    );
}

#[test]
fn a_body_is_sent_as_it_is_with_200() {
    let sandbox = http();
    sandbox.next(Fault::Body(r#"{"access_token":"#.to_owned()));
    let reply = basic_token(&sandbox);
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (200, r#"{"access_token":"#),
        "not even JSON"
    );
    assert_eq!(
        reply.header("Content-Type"),
        Some("application/json"),
        "though it says so"
    );
}

#[test]
fn a_cut_off_answer_promises_more_than_it_sends() {
    let sandbox = http();
    sandbox.next(Fault::CutOff);
    let text = rest(&mut request(&sandbox)).expect("the connection ends by FIN");
    let reply = parse(&text);
    let promised: usize = reply
        .header("Content-Length")
        .expect("a promise")
        .parse()
        .expect("a number");
    assert_eq!(reply.status, 200, "it begins well");
    assert_eq!(reply.body.len(), promised / 2, "half of it comes: {text:?}");
    assert!(reply.body.starts_with('{'), "the true answer's half");
}

#[test]
fn an_oversized_answer_is_right_but_for_its_size() {
    let sandbox = http();
    sandbox.next(Fault::Oversized(2 * 1024 * 1024));
    let reply = basic_token(&sandbox);
    assert_eq!(reply.body.len(), 2 * 1024 * 1024, "as large as asked");
    assert_eq!(
        networks(&sandbox, &reply.token()).status,
        200,
        "and the token in it works"
    );
}

#[test]
fn a_slow_body_trickles_and_never_ends() {
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
        assert_ne!(count, 0, "it does not end by itself");
        text.extend_from_slice(&buffer[..count]);
    }
    assert!(
        text.starts_with(b"HTTP/1.1 200 OK\r\n"),
        "it looks like an answer"
    );
}

#[test]
fn a_redirect_points_where_it_was_told() {
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
fn a_reset_is_a_tcp_rst() {
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
fn a_close_is_an_end_of_file_before_any_byte() {
    let sandbox = http();
    sandbox.next(Fault::Close);
    assert_eq!(
        rest(&mut request(&sandbox)).expect("an orderly end"),
        "",
        "FIN and not one byte"
    );
}

#[test]
fn a_hanging_request_is_read_and_gets_no_answer() {
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
    assert_eq!(sandbox.requests()[0].status, None, "recorded as unanswered");
    assert_eq!(
        basic_token(&sandbox).status,
        200,
        "others are served meanwhile"
    );
}

#[test]
fn expires_in_can_be_anything_or_missing() {
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
        assert_eq!(reply.json()["expires_in"], value, "as it was given");
        assert_eq!(
            networks(&sandbox, &reply.token()).status,
            200,
            "the rest is the true answer"
        );
    }
    sandbox.next(Fault::ExpiresIn(None));
    assert_eq!(
        basic_token(&sandbox).json().get("expires_in"),
        None,
        "left out"
    );
}

#[test]
fn a_fault_that_http_cannot_carry_says_so() {
    let sandbox = http();
    sandbox.next(Fault::Redirect {
        status: 307,
        location: "two\nlines".to_owned(),
    });
    let reply = basic_token(&sandbox);
    assert_eq!(
        reply.status, 500,
        "a mistake in the test shows up in the test"
    );
    assert!(
        reply.body.starts_with("cloudconnexa-sandbox: "),
        "and says whose it is: {reply:?}"
    );
}

#[test]
fn the_time_that_answers_tell_is_the_sandboxs() {
    let sandbox = http();
    let told = || networks(&sandbox, "none").header("Date").map(str::to_owned);
    let before = told().expect("every answer has a date");
    assert!(
        before.ends_with(" GMT") && before.len() == 29,
        "RFC 9110 section 5.6.7: {before}"
    );
    sandbox.advance(Duration::from_secs(48 * 60 * 60));
    let after = told().expect("every answer has a date");
    assert_ne!(before.get(..16), after.get(..16), "two days later");
}
