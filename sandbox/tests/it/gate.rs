//! The gate: a test decides when answers go out.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;

use cloudconnexa_sandbox::{CredentialSpec, Fault, Form};

use crate::client::{basic_token, http, networks, token};

#[test]
fn a_gate_holds_every_token_request_until_it_is_released() {
    let sandbox = http();
    let gate = sandbox.gate();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| basic_token(&sandbox).status))
            .collect();
        gate.wait_for_requests(4);
        assert!(
            callers.iter().all(|caller| !caller.is_finished()),
            "nobody has an answer yet"
        );
        assert!(
            sandbox.requests().iter().all(|it| it.status.is_none()),
            "the record agrees"
        );
        gate.release();
        for caller in callers {
            assert_eq!(
                caller.join().expect("a caller ends well"),
                200,
                "each gets its true answer"
            );
        }
    });
    assert_eq!(basic_token(&sandbox).status, 200, "later requests pass");
    assert_eq!(gate.requests(), 5, "and are counted");
}

#[test]
fn a_fault_behind_a_gate_waits_as_well() {
    let sandbox = http();
    sandbox.next(Fault::status(503));
    let gate = sandbox.gate();
    thread::scope(|scope| {
        let caller = scope.spawn(|| basic_token(&sandbox).status);
        gate.wait_for_requests(1);
        sandbox.clear_faults();
        gate.release();
        assert_eq!(
            caller.join().expect("the caller ends well"),
            503,
            "a fault is taken on arrival"
        );
    });
}

#[test]
fn a_dropped_gate_holds_nothing_and_the_api_was_never_held() {
    let sandbox = http();
    let gate = sandbox.gate();
    let token = sandbox.issue_token(&sandbox.credential().client_id);
    assert_eq!(
        networks(&sandbox, &token).status,
        200,
        "a gate is for token requests"
    );
    drop(gate);
    assert_eq!(
        basic_token(&sandbox).status,
        200,
        "a test that fails early leaves no server stuck"
    );
}

#[test]
fn requests_at_once_are_counted_until_they_are_answered_or_their_client_has_gone() {
    let sandbox = http();
    let other = sandbox.add_credential(CredentialSpec::default());
    let gate = sandbox.gate();
    let address = sandbox.address();
    let leave = || {
        let mut client = TcpStream::connect(address).expect("it listens");
        let request = "POST /api/v1/oauth/token?client_id=x HTTP/1.1\r\nHost: x\r\n\r\n";
        client.write_all(request.as_bytes()).expect("it reads");
        client
    };
    let gone = leave();
    gate.wait_for_requests(1);
    assert_eq!(sandbox.most_token_requests_at_once(), 1);
    drop(gone);
    sandbox.wait_until_idle();
    let here = leave();
    gate.wait_for_requests(2);
    assert_eq!(sandbox.most_token_requests_at_once(), 1, "one has gone");

    thread::scope(|scope| {
        scope.spawn(|| token(&sandbox, Form::Basic, &other));
        gate.wait_for_requests(3);
        assert_eq!(sandbox.most_token_requests_at_once(), 1, "another's");
        let beside = leave();
        gate.wait_for_requests(4);
        assert_eq!(sandbox.most_token_requests_at_once(), 2);
        let known = here.local_addr().expect("it is connected").port();
        let asked = sandbox.requests();
        let last = asked.last().expect("there are four");
        assert_eq!(last.beside, [known], "told by its port");
        assert_eq!(
            last.port,
            beside.local_addr().expect("it is connected").port()
        );
        gate.release();
    });
    sandbox.wait_until_idle();
}
