//! Connections that are refused, silently dropped, or have no route.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use cloudconnexa_sandbox::{Certificate, Sandbox};

use super::dns::{Dns, Says};
use super::{in_own_network, shell};
use crate::fault_injection::{Claim, tries};
use crate::harness::World;

/// Checks how `token` ends in this state of the network.
fn ends(world: &World, url: &str, limit: &str, first: &[&str]) {
    world.set("CLOUDCONNEXA_BASE_URL", url);
    let began = Instant::now();
    let stderr = world
        .run(["token", "--refresh", "--timeout", limit])
        .fails(6);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    for words in first {
        let line = stderr.lines().next().unwrap();
        assert!(line.contains(words), "{words:?} is not in\n{stderr}");
    }
}

#[test]
fn a_connection_that_is_refused_is_told_at_once() {
    let claim =
        Claim::that("a server address without a listener is reported as a refused connection");
    let world = World::new();
    let url = "https://127.0.0.1:1";
    let refused = format!("{url} refused the connection");
    claim.holds(|| ends(&world, url, "2s", &["is unavailable: ", &refused]));
    claim.holds(|| {
        ends(
            &world,
            "https://[::1]:1",
            "2s",
            &["is unavailable: https://[::1]:1 "],
        );
    });
}

#[test]
fn a_way_that_leads_nowhere_is_told_as_what_it_is() {
    let claim = Claim::that(
        "packets that are dropped, rejected or have no route, and a full queue, are reported as \
         a failed connection, in time; a token that is still valid is returned",
    );
    in_own_network(|| {
        let world = World::new();
        let (mut token, url) = (world.token(), world.sandbox.base_url().to_owned());
        let port = world.sandbox.address().port();
        let rule = |verb: &str, what: &str| {
            shell(&format!(
                "iptables -{verb} INPUT -p tcp --dport {port} {what}"
            ));
        };
        let silent = format!("did not answer in time: connecting to {url} timed out after 1s");
        for (rules, limit, first) in [
            (vec!["-j DROP"], "1s", silent.clone()),
            (
                vec!["-j REJECT --reject-with tcp-reset"],
                "2s",
                format!("{url} refused the connection"),
            ),
            (
                vec!["-j REJECT --reject-with icmp-port-unreachable"],
                "2s",
                format!("{url} refused the connection"),
            ),
            (
                vec!["-j REJECT --reject-with icmp-host-unreachable"],
                "2s",
                format!("there is no route to {url}"),
            ),
            (
                vec!["-j REJECT --reject-with icmp-admin-prohibited"],
                "2s",
                format!("there is no route to {url}"),
            ),
            // Drop only packets that are longer than a bare SYN or ACK: the connection opens, but
            // no data passes.
            (
                vec!["-m length --length 100: -j DROP"],
                "1s",
                format!("no TLS handshake with {url} within 1s"),
            ),
        ] {
            claim.holds(|| {
                let apply = |verb| rules.iter().for_each(|what| rule(verb, what));
                apply("A");
                assert_eq!(world.token(), token, "the valid token is still returned");
                world.advance(Duration::from_secs(43_199 * 9 / 10));
                let ahead = world.run(["token", "--timeout", "1s"]).succeeds();
                assert_eq!(ahead.trim_end(), token, "the old token is still returned");
                let stderr = world
                    .run(["token", "--refresh", "--timeout", limit])
                    .fails(6);
                assert!(
                    stderr.lines().next().unwrap().contains(&first),
                    "{rules:?}: {stderr}"
                );
                assert_eq!(world.token(), token);
                apply("D");
                token = world
                    .run(["token", "--refresh"])
                    .succeeds()
                    .trim_end()
                    .to_owned();
            });
        }
        for _ in 0..tries(0, 1) {
            claim.holds(|| {
                rule("A", "-j DROP");
                let stderr = world.run(["token", "--refresh"]).fails(6);
                let first = format!("connecting to {url} timed out after 30s");
                assert!(stderr.lines().next().unwrap().contains(&first), "{stderr}");
                world.run(["token", "--min-ttl", "11h59m50s"]).fails(6);
                rule("D", "-j DROP");
            });
        }
        // This namespace has no network except loopback.
        let nowhere = "https://192.0.2.1";
        claim.holds(|| {
            ends(
                &world,
                nowhere,
                "2s",
                &["there is no route to https://192.0.2.1"],
            );
        });
        let nowhere = "https://[2001:db8::1]";
        claim.holds(|| {
            ends(
                &world,
                nowhere,
                "2s",
                &["there is no route to https://[2001:db8::1]"],
            );
        });
        // On a network without other hosts, either the system's address resolution fails or the
        // program times out.
        shell(
            "ip link add nobody type veth peer name nowhere && ip link set nowhere up && ip addr add 192.0.2.2/24 dev nobody && ip link set nobody up",
        );
        claim.holds(|| {
            ends(
                &world,
                "https://192.0.2.1",
                "1s",
                &["connecting to https://192.0.2.1"],
            );
        });
        // The accept queue holds one connection; the next SYN is dropped.
        let (full, _held) = full();
        let url = format!("https://{full}");
        claim.holds(|| {
            ends(
                &world,
                &url,
                "1s",
                &[&format!("connecting to {url} timed out after 1s")],
            );
            let page = world.run(["doctor", "--timeout", "1s"]).outcome().stdout;
            let told = format!("connecting to {url} timed out after 1s");
            let line = page.lines().find(|line| line.contains(" TCP "));
            assert!(line.is_some_and(|line| line.contains(&told)), "{page}");
        });
    });
}

/// A listener with a full accept queue, and the connections that fill it.
fn full() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        held.push(stream);
    }
    (address, (listener, held))
}

#[test]
fn a_dead_ipv6_address_beside_a_living_ipv4_one_costs_no_token() {
    let claim = Claim::that(
        "a name whose IPv6 address refuses connections, has no route or drops packets is \
         reached by its IPv4 address",
    );
    in_own_network(|| {
        let world = World::with(Sandbox::builder().certificate(Certificate::Tenant));
        let dns = Dns::start();
        let port = world.sandbox.address().port();
        let url = format!("https://{}:{port}", Dns::NAME);
        world.set("CLOUDCONNEXA_BASE_URL", &url);
        let both = |ipv6: &str| {
            dns.says(Says::Addresses(vec![
                "127.0.0.1".parse().unwrap(),
                ipv6.parse().unwrap(),
            ]));
        };
        for (ipv6, command) in [
            ("::1", "true"),
            ("2001:db8::1", "true"),
            (
                "::1",
                "ip6tables -A INPUT -p tcp -j REJECT --reject-with icmp6-adm-prohibited",
            ),
            (
                "::1",
                "ip6tables -F INPUT && ip6tables -A INPUT -p tcp -j DROP",
            ),
        ] {
            shell(command);
            claim.holds(|| {
                both(ipv6);
                let began = Instant::now();
                world.run(["token", "--refresh"]).succeeds();
                let took = began.elapsed();
                assert!(took < Duration::from_secs(5), "{ipv6}, {command}: {took:?}");
            });
        }
        // Neither address accepts a connection.
        let dead = || {
            dns.says(Says::Addresses(vec![
                "127.0.0.2".parse().unwrap(),
                "::1".parse().unwrap(),
            ]));
        };
        shell("ip6tables -F INPUT");
        dead();
        let refused = format!("{url} refused the connection");
        claim.holds(|| ends(&world, &url, "2s", &[&refused]));
    });
}

#[test]
fn timeout_message_names_the_time_that_was_given() {
    let world = World::new();
    let (full, _held) = full();
    let url = format!("https://{full}");
    world.set("CLOUDCONNEXA_BASE_URL", &url);
    // One connection attempt takes 10 s; the second has the remaining time.
    let stderr = world.run(["token", "--timeout", "15s"]).fails(6);
    let says = format!("connecting to {url} timed out after 15s");
    assert!(stderr.lines().next().unwrap().contains(&says), "{stderr}");
}
