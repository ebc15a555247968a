//! A token that the API refuses is dropped, and the request is retried with a new one if that is
//! allowed.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::clients::revoke_tokens;

use super::server::{Server, reply};
use super::{NETWORKS, statuses, world, world_for};

#[test]
fn a_refused_token_is_renewed_once_and_the_answer_is_given_once() {
    for arguments in [
        &["-sS"][..],
        &["-sS", "--fail"],
        &["-sS", "--fail-with-body"],
        &["-sSL", "--http1.1"],
        &["-sS", "-X", "GET", "--compressed"],
    ] {
        let world = world(&[]);
        world.token();
        revoke_tokens(&world);

        let all = [&["curl", NETWORKS], arguments].concat();
        let printed = world.run_all(&all).succeeds();

        assert!(
            printed.starts_with("{\"content\":[{") && printed.ends_with('}'),
            "{printed}"
        );
        assert_eq!(statuses(&world), [401, 200], "{arguments:?}");
        assert_eq!(world.sandbox.token_requests(), 2, "one more request");
        world.run_all(&all).succeeds();
        assert_eq!(
            world.sandbox.token_requests(),
            2,
            "all callers get the new one"
        );
    }
}

#[test]
fn headers_and_what_is_written_out_are_those_of_the_second_answer_alone() {
    let world = world(&[]);
    world.token();
    revoke_tokens(&world);
    let arguments = ["curl", NETWORKS, "-sSi", "-w", "\n%{http_code}\n"];
    let printed = world.run(arguments).succeeds();
    assert!(!printed.contains("401"), "{printed}");
    assert!(printed.starts_with("HTTP/1.1 200"), "{printed}");
    assert!(printed.ends_with("\n200\n"), "{printed}");

    revoke_tokens(&world);
    // A minute later the token may be dropped again.
    world.advance(Duration::from_secs(61));
    let printed = world.run(["curl", NETWORKS, "-sSI"]).succeeds();
    assert!(
        printed.starts_with("HTTP/1.1 200") && !printed.contains("401"),
        "{printed}"
    );
    assert_eq!(world.sandbox.token_requests(), 3);
}

#[test]
fn a_file_holds_the_second_answer_alone() {
    let world = world(&[]);
    world.token();
    revoke_tokens(&world);
    let printed = world
        .run(["curl", NETWORKS, "-sS", "-o", "answer.json"])
        .succeeds();
    assert_eq!(printed, "");
    let answer = fs::read_to_string(world.path("answer.json")).unwrap();
    assert!(
        answer.starts_with("{\"content\":[{") && answer.ends_with('}'),
        "{answer}"
    );
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn refused_token_of_a_single_request_is_dropped() {
    for arguments in [
        &["-d", "x"][..],
        &["-X", "POST"],
        &["-X", "DELETE"],
        &["-T", "body"],
        &["-b", "-"],
        &["-v", "-d", "x"],
    ] {
        let world = world(&[]);
        fs::write(world.path("body"), "x").unwrap();
        world.token();
        revoke_tokens(&world);

        let all = [&["curl", NETWORKS, "-sS"], arguments].concat();
        let (printed, stderr) = world.run_all(&all).outcome().succeeds_with_stderr();

        assert!(printed.contains("Unauthorized"), "{arguments:?}: {printed}");
        assert!(
            stderr.contains("warning: the server refused the token (401)"),
            "{stderr}"
        );
        assert_eq!(statuses(&world), [401], "{arguments:?}");
        assert_eq!(world.sandbox.token_requests(), 1);
        world.run_all(&all).outcome().succeeds_with_stderr();
        assert_eq!(
            world.sandbox.token_requests(),
            2,
            "the next call has a new token"
        );
    }
}

#[test]
fn single_requests_drop_one_token_a_minute() {
    let server = Server::saying("401 Unauthorized", "refused\n");
    let world = world_for(&server);
    let url = server.url();
    let run = || world.run(["curl", "-v", &url, "-sS", "-d", "x"]).outcome();
    let (_, stderr) = run().succeeds_with_stderr();
    assert!(stderr.contains("it was dropped"), "{stderr}");
    for _ in 0..3 {
        let (printed, stderr) = run().succeeds_with_stderr();
        assert_eq!(printed, "refused\n");
        assert!(
            stderr.contains("debug: a token was refused less than a minute ago"),
            "{stderr}"
        );
    }
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn with_dump_header_no_401_is_seen() {
    let world = world(&[]);
    world.token();
    revoke_tokens(&world);
    let arguments = ["curl", NETWORKS, "-sS", "-D", "headers"];
    let printed = world.run(arguments).succeeds();
    assert!(printed.contains("Unauthorized"), "{printed}");
    let headers = fs::read_to_string(world.path("headers")).unwrap();
    assert!(headers.starts_with("HTTP/1.1 401"), "{headers}");
    assert_eq!(
        (statuses(&world), world.sandbox.token_requests()),
        (vec![401], 1)
    );
}

#[test]
fn a_server_that_refuses_whatever_it_is_given_costs_one_token_request_a_minute() {
    let server = Server::saying("401 Unauthorized", "refused\n");
    let world = world_for(&server);
    world.token();

    let first = world.run(["curl", &server.url(), "-sS"]).succeeds();
    assert_eq!(first, "refused\n", "only the second response, once");
    assert_eq!(
        (server.requests().len(), world.sandbox.token_requests()),
        (2, 2)
    );

    let outcome = world
        .run(["curl", &server.url(), "-sS", "--fail"])
        .outcome();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(22), ""));
    assert!(
        outcome.stderr.contains("curl: (22)"),
        "the omitted response is reported"
    );
    assert_eq!(
        (server.requests().len(), world.sandbox.token_requests()),
        (3, 2)
    );
    let run = world.run(["curl", "-v", &server.url(), "-sS"]);
    let (stdout, stderr) = run.outcome().succeeds_with_stderr();
    assert_eq!(stdout, "refused\n");
    let says = "debug: a token was refused less than a minute ago: this answer is passed on\n";
    assert!(stderr.contains(says), "{stderr}");
}

#[test]
fn where_there_is_no_new_token_the_refusal_is_the_answer() {
    let world = world(&[]);
    world.token();
    revoke_tokens(&world);
    world.sandbox.enable_api(false);

    let (stdout, stderr) = world
        .run(["curl", NETWORKS, "-sS"])
        .outcome()
        .succeeds_with_stderr();

    assert!(stdout.contains("Unauthorized"), "{stdout}");
    assert!(stderr.contains("there is no new one: "), "{stderr}");
    assert_eq!(statuses(&world), [401]);
}

#[test]
fn a_401_of_somebody_else_drops_nothing() {
    let other = Server::saying("401 Unauthorized", "other\n");
    let location = other.url();
    let server = Server::start(move |_, stream| {
        reply(
            stream,
            "302 Found",
            &format!("Location: {location}\r\n"),
            "",
        );
    });
    let world = world_for(&server);
    let printed = world.run(["curl", &server.url(), "-sSL"]).succeeds();
    assert_eq!(printed, "other\n");
    assert_eq!(world.sandbox.token_requests(), 1);
}

#[test]
fn a_long_refusal_is_shown_rather_than_held() {
    let body = "x".repeat(3 * 1024 * 1024);
    let expected = body.len();
    let server = Server::start(move |_, stream| reply(stream, "401 Unauthorized", "", &body));
    let world = world_for(&server);
    let run = world.run(["curl", &server.url(), "-sS"]).outcome();
    let (printed, stderr) = run.succeeds_with_stderr();
    assert_eq!(printed.len(), expected);
    assert!(stderr.contains("it was dropped"), "{stderr}");
    assert_eq!(
        (server.requests().len(), world.sandbox.token_requests()),
        (1, 1)
    );
}

#[test]
fn the_time_that_curl_took_is_not_taken_from_the_new_token() {
    let limit = Duration::from_secs(3);
    let (_open, never) = mpsc::channel::<()>();
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_, stream| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            let _ = never.recv_timeout(limit);
        }
        reply(stream, "401 Unauthorized", "", "refused\n");
    });
    let world = world_for(&server);
    world.token();

    // The first response comes after `--timeout` has passed.
    let printed = world
        .run(["curl", "--timeout", "3s", &server.url(), "-sS"])
        .succeeds();

    assert_eq!(printed, "refused\n");
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn without_a_cache_a_refused_token_is_renewed_too() {
    let count = AtomicUsize::new(0);
    let page = "x".repeat(512 * 1024);
    let server = Server::start(move |_, stream| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            reply(stream, "401 Unauthorized", "", &page);
        } else {
            reply(stream, "200 OK", "", "good\n");
        }
    });
    let world = world_for(&server);
    let printed = world
        .run(["curl", "--no-cache", &server.url(), "-sS"])
        .succeeds();
    assert_eq!(printed, "good\n");
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn a_refusal_that_curl_itself_gets_over_drops_nothing() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_, stream| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            reply(stream, "401 Unauthorized", "", "refused\n");
        } else {
            reply(stream, "200 OK", "", "good\n");
        }
    });
    let world = world_for(&server);
    let retry = ["--fail", "--retry", "1", "--retry-all-errors"];
    let url = server.url();
    let all = [&["curl", &url, "-s"][..], &retry].concat();
    assert_eq!(world.run_all(&all).succeeds(), "good\n");
    assert_eq!(world.sandbox.token_requests(), 1);
}
