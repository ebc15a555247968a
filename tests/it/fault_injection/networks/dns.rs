//! Names that do not resolve and resolvers that do not answer, in a network namespace with our own
//! resolver.

use std::net::{IpAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use cloudconnexa_sandbox::{Certificate, Sandbox};

use super::{in_own_network, shell};
use crate::fault_injection::Claim;
use crate::harness::World;

/// The resolver's answer to every query.
#[derive(Debug, Clone)]
pub(crate) enum Says {
    Addresses(Vec<IpAddr>),
    /// An IPv4 address for A, and this code for AAAA.
    OnlyIpv4(IpAddr, u8),
    /// A response code of RFC 1035 §4.1.1: 2 is SERVFAIL, 3 NXDOMAIN, 5 REFUSED.
    Code(u8),
    /// Invalid data that starts with the first bytes of the query.
    Rubbish,
    Nothing,
}

/// A resolver on port 53 of loopback, and the files that make it the only resolver.
pub(crate) struct Dns {
    says: Arc<Mutex<Says>>,
    /// The number of queries received.
    questions: Arc<AtomicUsize>,
}

impl Dns {
    /// Call this only in the test's own network namespace.
    pub(crate) fn start() -> Self {
        shell(
            "echo 'nameserver 127.0.0.1' > /run/resolv.conf; echo 'hosts: files dns' > /run/nsswitch.conf
             echo > /run/hosts
             for file in resolv.conf nsswitch.conf hosts; do
               [ -e /etc/$file ] || touch /etc/$file
               mount --bind /run/$file \"$(readlink -f /etc/$file)\"
             done",
        );
        let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
        let says = Arc::new(Mutex::new(Says::Nothing));
        let told = Arc::clone(&says);
        let questions = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&questions);
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                counter.fetch_add(1, Ordering::SeqCst);
                let says = told.lock().unwrap().clone();
                if let Some(answer) = answer(&buffer[..length], &says) {
                    drop(socket.send_to(&answer, peer));
                }
            }
        });
        Self { says, questions }
    }

    /// A name that the sandbox's certificate is valid for.
    pub(crate) const NAME: &str = "sandbox.api.openvpn.com";

    pub(crate) fn says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }
}

/// Builds the response (RFC 1035 §4): the question, followed by the answer records.
fn answer(question: &[u8], says: &Says) -> Option<Vec<u8>> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0)? + 1;
    let (id, kind) = (&question[..2], &question[end..end + 2]);
    let (code, addresses): (u8, Vec<&IpAddr>) = match says {
        Says::Nothing => return None,
        Says::Rubbish => return Some([id, &[0x81, 0x80, 0xff, 0xff][..], &[0xff; 40]].concat()),
        Says::OnlyIpv4(address, _) if kind == [0, 1] => (0, vec![address]),
        Says::Code(code) | Says::OnlyIpv4(_, code) => (*code, Vec::new()),
        Says::Addresses(all) => {
            let is_asked = |it: &&IpAddr| kind == if it.is_ipv4() { [0, 1] } else { [0, 28] };
            (0, all.iter().filter(is_asked).collect())
        }
    };
    let count = u8::try_from(addresses.len()).unwrap();
    let mut answer = [id, &[0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0][..]].concat();
    answer.extend_from_slice(&question[12..end + 4]);
    for address in addresses {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let length = u8::try_from(bytes.len()).unwrap();
        // A pointer to the name, class IN, a TTL of zero.
        answer.extend_from_slice(&[0xc0, 12]);
        answer.extend_from_slice(kind);
        answer.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, length]);
        answer.extend_from_slice(&bytes);
    }
    Some(answer)
}

#[test]
fn a_name_that_is_not_found_is_told_from_a_resolver_that_does_not_answer() {
    let claim = Claim::that(
        "a name that does not exist, and a resolver that fails, refuses, sends invalid data, \
         does not respond or is missing, are reported in the first line, in time; a token that \
         is still valid is returned",
    );
    in_own_network(|| {
        let world = World::with(Sandbox::builder().certificate(Certificate::Tenant));
        let dns = Dns::start();
        let url = format!("https://{}:{}", Dns::NAME, world.sandbox.address().port());
        world.set("CLOUDCONNEXA_BASE_URL", &url);
        let well = || dns.says(Says::Addresses(vec!["127.0.0.1".parse().unwrap()]));
        well();
        let mut token = world.token();
        let not_found = format!("is unavailable: the name of {url} was not found");
        let no_answer = format!("the name of {url} could not be looked up: DNS failed");
        let silent =
            format!("did not answer in time: DNS did not answer for the name of {url} within 1s");
        let conf = |text: &str| shell(&format!("printf '{text}' > /run/resolv.conf"));
        let one = "nameserver 127.0.0.1\\n";
        for (name, says, text, limit, first) in [
            ("NXDOMAIN", Says::Code(3), one, "2s", &not_found),
            (
                "no address",
                Says::Addresses(Vec::new()),
                one,
                "2s",
                &not_found,
            ),
            ("SERVFAIL", Says::Code(2), one, "2s", &no_answer),
            ("REFUSED", Says::Code(5), one, "2s", &no_answer),
            (
                "no server listens",
                Says::Nothing,
                "nameserver 127.0.0.2\\n",
                "2s",
                &no_answer,
            ),
            (
                "no route to it",
                Says::Nothing,
                "nameserver 192.0.2.53\\n",
                "2s",
                &no_answer,
            ),
            ("rubbish", Says::Rubbish, one, "1s", &silent),
            ("silence", Says::Nothing, one, "1s", &silent),
        ] {
            claim.holds(|| {
                dns.says(says);
                conf(text);
                assert_eq!(world.token(), token, "{name}");
                world.advance(Duration::from_secs(43_199 * 9 / 10));
                let began = Instant::now();
                let ahead = world.run(["token", "--timeout", "1s"]).succeeds();
                assert_eq!(
                    ahead.trim_end(),
                    token,
                    "{name}: the old token is still returned"
                );
                let stderr = world
                    .run(["token", "--refresh", "--timeout", limit])
                    .fails(6);
                assert!(began.elapsed() < Duration::from_secs(30), "{name}");
                assert!(
                    stderr.lines().next().unwrap().contains(first),
                    "{name}: {stderr}"
                );
                assert_eq!(world.token(), token, "{name}: the token is still cached");
                well();
                conf(one);
                token = world
                    .run(["token", "--refresh"])
                    .succeeds()
                    .trim_end()
                    .to_owned();
            });
        }
        // `doctor` resolves the name itself.
        let loopback = || Says::Addresses(vec!["127.0.0.1".parse().unwrap()]);
        for (says, limit, told) in [
            (loopback(), "9s", "sandbox.api.openvpn.com is 127.0.0.1"),
            (Says::Code(3), "9s", "was not found"),
            (Says::Nothing, "1s", "DNS did not answer for the name of"),
        ] {
            claim.holds(|| {
                dns.says(says);
                let page = world.run(["doctor", "--timeout", limit]).outcome().stdout;
                let line = page.lines().find(|line| line.contains(" DNS "));
                assert!(
                    line.is_some_and(|line| line.contains(told)),
                    "{told}: {page}"
                );
            });
        }
    });
}

#[test]
fn localhost_is_never_resolved_by_dns() {
    in_own_network(|| {
        let world = World::without_profile(Sandbox::builder().http());
        let dns = Dns::start();
        // A resolver that maps every name to another address; `/etc/hosts` is empty.
        dns.says(Says::Addresses(vec!["127.0.0.66".parse().unwrap()]));
        let port = world.sandbox.address().port();
        let text = world.profile_text("p");
        let url = format!("http://localhost:{port}");
        let text = text.replace(world.sandbox.base_url(), &url);
        world.write_config(&text);
        world.token();
        let page = world.run(["doctor"]).outcome().stdout;
        assert!(page.contains("localhost is 127.0.0.1, ::1"), "{page}");

        if cfg!(feature = "shared-store") {
            let store = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = store.local_addr().unwrap().port();
            world.write_config(&format!(
                "{text}[profiles.p.shared_store]\nurl = \"redis://localhost:{port}\"\n"
            ));
            thread::scope(|scope| {
                let accepted = scope.spawn(|| drop(store.accept().unwrap()));
                // The store closes the connection, which causes a warning.
                let outcome = world.run(["token", "--refresh"]).outcome();
                assert_eq!(outcome.code, Some(0), "{outcome:?}");
                accepted.join().unwrap();
            });
        }
        let questions = dns.questions.load(Ordering::SeqCst);
        assert_eq!(
            questions, 0,
            "the secret would leave the machine unencrypted"
        );
    });
}

#[test]
fn failing_aaaa_query_does_not_hide_the_ipv4_address() {
    in_own_network(|| {
        let world = World::with(Sandbox::builder().certificate(Certificate::Tenant));
        let dns = Dns::start();
        let url = format!("https://{}:{}", Dns::NAME, world.sandbox.address().port());
        world.set("CLOUDCONNEXA_BASE_URL", &url);
        // RFC 1035 §4.1.1: FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED.
        for code in 1..=5 {
            dns.says(Says::OnlyIpv4("127.0.0.1".parse().unwrap(), code));
            world.run(["token", "--refresh"]).succeeds();
        }
    });
}
