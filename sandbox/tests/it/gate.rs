//! The gate: a test decides when responses are sent.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;

use cloudconnexa_sandbox::{CredentialSpec, Fault, Form};

use crate::client::{basic_token, http, networks, token};

#[test]
fn gate_delays_all_token_requests_until_release() {
    let sandbox = http();
    let gate = sandbox.gate();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| basic_token(&sandbox).status))
            .collect();
        gate.wait_for_requests(4);
        assert!(
            callers.iter().all(|caller| !caller.is_finished()),
            "no response was sent"
        );
        assert!(
            sandbox.requests().iter().all(|it| it.status.is_none()),
            "the record has no status either"
        );
        gate.release();
        for caller in callers {
            assert_eq!(
                caller.join().expect("a caller ends well"),
                200,
                "each gets its real response"
            );
        }
    });
    assert_eq!(basic_token(&sandbox).status, 200, "later requests pass");
    assert_eq!(gate.requests(), 5, "later requests are counted");
}

#[test]
fn gate_delays_faults_too() {
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
fn dropped_gate_delays_nothing() {
    let sandbox = http();
    let gate = sandbox.gate();
    let token = sandbox.issue_token(&sandbox.credential().client_id);
    assert_eq!(
        networks(&sandbox, &token).status,
        200,
        "the gate does not delay API requests"
    );
    drop(gate);
    assert_eq!(
        basic_token(&sandbox).status,
        200,
        "the drop releases the gate"
    );
}

#[test]
fn concurrent_requests_are_counted_while_pending() {
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
    assert_eq!(
        sandbox.most_token_requests_at_once(),
        1,
        "one client has disconnected"
    );

    thread::scope(|scope| {
        scope.spawn(|| token(&sandbox, Form::Basic, &other));
        gate.wait_for_requests(3);
        assert_eq!(
            sandbox.most_token_requests_at_once(),
            1,
            "of another credential"
        );
        let beside = leave();
        gate.wait_for_requests(4);
        assert_eq!(sandbox.most_token_requests_at_once(), 2);
        let known = here.local_addr().expect("it is connected").port();
        let asked = sandbox.requests();
        let last = asked.last().expect("there are four");
        assert_eq!(last.beside, [known], "identified by its port");
        assert_eq!(
            last.port,
            beside.local_addr().expect("it is connected").port()
        );
        gate.release();
    });
    sandbox.wait_until_idle();
}
