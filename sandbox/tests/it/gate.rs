//! The gate: a test decides when answers go out.

use std::thread;

use cloudconnexa_sandbox::Fault;

use crate::client::{basic_token, http, networks};

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
