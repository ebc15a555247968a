//! Hosts that share a token: many processes at once, and a store that fails at each stage of a
//! fetch.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cloudconnexa_sandbox::{Fault, Sandbox};

use super::networks::in_own_network;
use super::{Claim, tries};
use crate::harness::Outcome;
use crate::shared_store::{Fleet, Server};

/// The number of processes on each host.
const PROCESSES: usize = 5;

/// Starts five processes on each of `hosts` hosts at once and returns their outcomes.
fn storm(fleet: &Fleet, hosts: usize, arguments: [&str; 3]) -> Vec<Outcome> {
    let running = (0..hosts * PROCESSES)
        .map(|number| fleet.on(number % hosts, arguments).start())
        .collect();
    fleet.world.outcomes(running)
}

fn distinct(outcomes: Vec<Outcome>) -> BTreeSet<String> {
    outcomes.into_iter().map(Outcome::succeeds).collect()
}

#[test]
fn hosts_of_five_processes_cost_one_request_cold_and_one_at_refresh() {
    let claim = Claim::that(
        "processes on hosts that share a store (200 hosts with 5 each in a soak) get one token \
         from one token request, both with a cold cache and at refresh",
    );
    let hosts = tries(20, 200);
    let fleet = Fleet::new();
    let wait = ["token", "--timeout", "120s"];

    let cold = claim.counts(hosts * PROCESSES, || distinct(storm(&fleet, hosts, wait)));

    assert_eq!(cold.len(), 1, "all processes get the same token");
    assert_eq!(
        fleet.world.sandbox.token_requests(),
        1,
        "one process sends a request"
    );
    fleet.advance(Duration::from_secs(10 * 3600));
    claim.counts(hosts * PROCESSES, || storm(&fleet, hosts, wait));
    assert_eq!(
        fleet.world.sandbox.token_requests(),
        2,
        "one process refreshes the token"
    );
    // Processes that looked up the token during the refresh use the current one for some time. Then
    // one process of each host looks it up again.
    fleet.advance(Duration::from_secs(600));
    storm(&fleet, hosts, wait);
    let next = distinct(storm(&fleet, hosts, wait));
    assert!(
        next.is_disjoint(&cold) && next.len() == 1,
        "all processes have the new token: {next:?}"
    );
    assert_eq!(fleet.world.sandbox.token_requests(), 2);
}

#[test]
fn inside_a_limit_hosts_cost_no_request() {
    let claim = Claim::that(
        "processes on hosts that share a store cost one token request during a 429 (200 hosts \
         with 5 each in a soak); all others end with exit code 5",
    );
    let hosts = tries(20, 200);
    let fleet = Fleet::new();
    let headers = vec![("X-RateLimit-Replenish-Time".to_owned(), "250".to_owned())];
    let (code, body) = (429, Vec::new());
    fleet.world.sandbox.always(Some(Fault::Status {
        code,
        headers,
        body,
    }));

    let outcomes = claim.counts(hosts * PROCESSES, || {
        storm(&fleet, hosts, ["token", "--timeout", "60s"])
    });

    for outcome in outcomes {
        let stderr = outcome.fails(5);
        assert!(
            stderr.contains("429"),
            "all processes report the same reason: {stderr}"
        );
    }
    assert_eq!(fleet.world.sandbox.token_requests(), 1);
}

#[test]
fn one_host_waits_out_a_limit_for_all() {
    let claim = Claim::that(
        "one host waits for the end of a 429 that is shorter than the timeout of all callers",
    );
    for _ in 0..tries(1, 5) {
        let fleet = Fleet::new();
        let headers = vec![("X-RateLimit-Replenish-Time".to_owned(), "3".to_owned())];
        let (code, body) = (429, Vec::new());
        fleet.world.sandbox.next(Fault::Status {
            code,
            headers,
            body,
        });

        let tokens: BTreeSet<String> = claim.holds(|| {
            let outcomes = storm(&fleet, 6, ["token", "--timeout", "60s"]);
            outcomes
                .into_iter()
                .map(|outcome| outcome.succeeds_with_stderr().0)
                .collect()
        });

        assert_eq!(tokens.len(), 1);
        assert_eq!(
            fleet.world.sandbox.token_requests(),
            2,
            "one refused request, then a successful one"
        );
    }
}

/// A failure of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Killed,
    Stopped,
    CutOff,
    Flushed,
    Evicting,
}

/// A relay between the hosts and the store. It forwards round trips and causes the failure before
/// the chosen one.
struct Between {
    port: u16,
}

impl Between {
    fn start(to: u16, stage: usize, blow: impl FnOnce() + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let passed = Arc::new(AtomicUsize::new(0));
        let blow = Arc::new(Mutex::new(Some(blow)));
        // The thread ends with the test process and is not joined.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (passed, blow) = (Arc::clone(&passed), Arc::clone(&blow));
                let near = stream.unwrap();
                thread::spawn(move || {
                    let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else {
                        return;
                    };
                    let (mut back, mut front) =
                        (far.try_clone().unwrap(), near.try_clone().unwrap());
                    thread::spawn(move || {
                        let _ = std::io::copy(&mut back, &mut front);
                        let _ = front.shutdown(Shutdown::Both);
                    });
                    let (mut near, mut far) = (near, far);
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(length @ 1..) = near.read(&mut buffer) {
                        if passed.fetch_add(1, Ordering::SeqCst) + 1 == stage
                            && let Some(blow) = blow.lock().unwrap().take()
                        {
                            blow();
                        }
                        if far.write_all(&buffer[..length]).is_err() {
                            break;
                        }
                    }
                    let _ = far.shutdown(Shutdown::Both);
                });
            }
        });
        Self { port }
    }
}

/// A firewall rule that blocks a port; removed when dropped.
struct Wall(u16);

impl Wall {
    fn change(&self, how: &str) -> bool {
        let port = self.0.to_string();
        let mut command = Command::new("/usr/sbin/iptables");
        command.args([
            "-w", how, "INPUT", "-i", "lo", "-p", "tcp", "--dport", &port, "-j", "DROP",
        ]);
        command.status().unwrap().success()
    }
}

impl Drop for Wall {
    fn drop(&mut self) {
        self.change("-D");
    }
}

fn send(id: u32, signal: &str) {
    let sent = Command::new("kill")
        .args(["-s", signal, &id.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

/// A fetch needs four round trips: look up, acquire the lease, publish, release the lease.
const STAGES: usize = 4;

/// Several hosts request a token while the store fails at a stage of the fetch. Checks that this
/// costs at most one token request for each host, as without the store.
fn survives(claim: &Claim, blow: Blow, stage: usize) {
    const HOSTS: usize = 4;
    let server = Server::plain(&[]);
    let (id, port, socket) = (server.id(), server.port, server.path("sock"));
    let wall = Arc::new(Mutex::new(None));
    let held = Arc::clone(&wall);
    let between = Between::start(port, stage, move || match blow {
        Blow::Killed => send(id, "KILL"),
        Blow::Stopped => send(id, "STOP"),
        Blow::CutOff => {
            let rule = Wall(port);
            assert!(rule.change("-I"), "iptables");
            held.lock().unwrap().replace(rule);
        }
        Blow::Flushed => server_says(&socket, &["FLUSHALL"]),
        Blow::Evicting => {
            server_says(
                &socket,
                &["CONFIG", "SET", "maxmemory-policy", "allkeys-random"],
            );
            server_says(&socket, &["CONFIG", "SET", "maxmemory", "1"]);
        }
    });
    let fleet = Fleet::with(Sandbox::builder(), server, false);
    let url = format!("redis://127.0.0.1:{}", between.port);
    fleet.world.set("CLOUDCONNEXA_AUTH_SHARED_STORE", &url);

    let running = (0..HOSTS)
        .map(|host| fleet.on(host, ["token"]).start())
        .collect();
    for outcome in fleet.world.outcomes(running) {
        claim.holds(|| {
            let (stdout, stderr) = outcome.succeeds_with_stderr();
            assert!(!stdout.is_empty(), "{blow:?} at {stage}: {stderr}");
            let warnings = stderr
                .lines()
                .filter(|line| line.contains("warning:"))
                .count();
            assert!(warnings <= 1, "{blow:?} at {stage}: {stderr}");
        });
    }
    drop(wall.lock().unwrap().take());
    let requests = fleet.world.sandbox.token_requests();
    let most = if blow == Blow::Flushed { 2 } else { HOSTS };
    assert!(
        (1..=most).contains(&requests),
        "{blow:?} at stage {stage} cost {requests} token requests"
    );
}

fn server_says(socket: &std::path::Path, words: &[&str]) {
    let mut command = Command::new("redis-cli");
    command.arg("-s").arg(socket).args(words);
    command.env("REDISCLI_AUTH", crate::shared_store::PASSWORD);
    assert!(command.output().unwrap().status.success());
}

fn survives_at_every_stage(claim: &Claim, blow: Blow) {
    for _ in 0..tries(1, 10) {
        for stage in 1..=STAGES {
            survives(claim, blow, stage);
        }
    }
}

#[test]
fn a_store_that_is_killed_at_any_stage_fails_no_answer() {
    let claim = Claim::that(
        "callers get a token if the shared store is killed at any tested stage of a fetch, with \
         at most one token request per host",
    );
    survives_at_every_stage(&claim, Blow::Killed);
}

#[test]
fn a_store_that_is_stopped_at_any_stage_fails_no_answer() {
    let claim = Claim::that(
        "callers get a token if the shared store is stopped (SIGSTOP) at any tested stage of a \
         fetch, with at most one token request per host",
    );
    survives_at_every_stage(&claim, Blow::Stopped);
}

#[test]
fn a_store_that_is_cut_off_at_any_stage_fails_no_answer() {
    let claim = Claim::that(
        "callers get a token if iptables blocks the shared store at any tested stage of a \
         fetch, with at most one token request per host",
    );
    in_own_network(|| survives_at_every_stage(&claim, Blow::CutOff));
}

#[test]
fn a_store_that_is_emptied_at_any_stage_costs_one_more_request() {
    let claim = Claim::that(
        "callers get a token if the shared store is emptied (FLUSHALL) at any tested stage of a \
         fetch, with at most one more token request",
    );
    survives_at_every_stage(&claim, Blow::Flushed);
}

#[test]
fn a_store_that_evicts_at_any_stage_fails_no_answer() {
    let claim = Claim::that(
        "callers get a token if the shared store starts to evict all its entries at any tested \
         stage of a fetch, with at most one token request per host",
    );
    survives_at_every_stage(&claim, Blow::Evicting);
}

#[test]
fn a_killed_lease_holder_costs_the_others_the_life_of_its_lease() {
    let claim = Claim::that(
        "hosts get a token if the requesting host is killed, within the 9 s limit of a tool, \
         with one more token request",
    );
    for _ in 0..tries(1, 10) {
        let fleet = Fleet::new();
        let gate = fleet.world.sandbox.gate();
        let leader = fleet.on(0, ["token"]).start();
        gate.wait_for_requests(1);
        let others: Vec<_> = (1..5)
            .map(|host| fleet.on(host, ["token", "--timeout", "9s"]).start())
            .collect();

        leader.kill();
        gate.wait_for_requests(2);
        gate.release();

        for outcome in fleet.world.outcomes(others) {
            claim.holds(|| outcome.succeeds_with_stderr());
        }
        assert_eq!(
            fleet.world.sandbox.token_requests(),
            2,
            "the next process sends a request"
        );
    }
}

#[test]
fn a_stopped_lease_holder_harms_nobody_when_it_goes_on() {
    let claim = Claim::that(
        "a lease holder that is stopped and continues after its lease has expired does not \
         release the lease of another holder, and all callers get a token",
    );
    for _ in 0..tries(1, 10) {
        let fleet = Fleet::new();
        let gate = fleet.world.sandbox.gate();
        let leader = fleet.on(0, ["token"]).start();
        gate.wait_for_requests(1);
        send(leader.id(), "STOP");
        let other = fleet.on(1, ["token"]).start();
        gate.wait_for_requests(2);
        send(leader.id(), "CONT");
        gate.release();

        claim.holds(|| {
            leader.outcome().succeeds_with_stderr();
            other.outcome().succeeds_with_stderr();
        });
        assert!(
            fleet
                .server
                .keys()
                .iter()
                .all(|key| key.ends_with(":token")),
            "no lease is left"
        );
    }
}
