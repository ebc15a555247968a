//! Hosts with their own addresses: network namespaces. A virtual link connects each of them to the
//! first namespace, which has the store and the token endpoint.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use cloudconnexa_sandbox::{Certificate, Sandbox};

use super::{Fleet, PASSWORD, Server};
use crate::clients::found_or_skipped;
use crate::fault_injection::networks::dns::{Dns, Says};
use crate::fault_injection::networks::{in_own_network, shell};
use crate::harness::World;

/// A host name in the store's certificate.
const STORE: &str = "store.test";

/// A namespace and its virtual link. Dropping it removes both.
struct Namespace {
    name: String,
    line: String,
    /// The address of the first namespace, as this namespace sees it.
    gateway: String,
}

fn ip(arguments: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(arguments.split(' '));
    command.output().is_ok_and(|output| output.status.success())
}

impl Namespace {
    /// Returns `None` if the process may not create namespaces.
    fn new(number: usize) -> Option<Self> {
        let id = std::process::id() % 100_000;
        let (name, line) = (format!("cca-{id}-{number}"), format!("cca{id}x{number}"));
        let network = format!("10.213.{}", id as usize % 60 * 4 + number);
        if !ip(&format!("netns add {name}")) {
            return None;
        }
        let namespace = Self {
            name: name.clone(),
            line: line.clone(),
            gateway: format!("{network}.1"),
        };
        let made = [
            format!("link add {line} type veth peer name eth0 netns {name}"),
            format!("address add {network}.1/24 dev {line}"),
            format!("link set {line} up"),
            format!("-n {name} address add {network}.2/24 dev eth0"),
            format!("-n {name} link set eth0 up"),
        ];
        made.iter().all(|step| ip(step)).then_some(namespace)
    }

    /// Returns a script that executes `$0` with `arguments` in this namespace. There, the names of
    /// both servers resolve to the first namespace.
    fn script(&self, folder: &Path, arguments: &str) -> String {
        let hosts = folder.join(&self.name);
        // The file is written only once, because a process may be reading it.
        if !hosts.exists() {
            let names = format!("{} {} {STORE}\n", self.gateway, Dns::NAME);
            fs::write(&hosts, names).unwrap();
        }
        format!(
            "exec ip netns exec {} sh -c 'mount --bind {} /etc/hosts && exec \"$0\" {arguments}' \"$0\"",
            self.name,
            hosts.display()
        )
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Deleting either end removes the virtual link.
        ip(&format!("link del {}", self.line));
        ip(&format!("netns del {}", self.name));
    }
}

#[test]
fn hosts_with_addresses_of_their_own_share_a_token() {
    in_own_network(separate_hosts_share_a_token);
}

fn separate_hosts_share_a_token() {
    let namespaces: Option<Vec<Namespace>> = (0..4).map(Namespace::new).collect();
    let Some(namespaces) = namespaces else {
        found_or_skipped("leave to make network namespaces", None);
        return;
    };
    let server = Server::of(Path::new("redis-server"), true, &["--bind", "0.0.0.0"]);
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let store = server.url(true).replace("localhost", STORE);
    let sandbox = Sandbox::builder().certificate(Certificate::Tenant);
    let fleet = Fleet::with(sandbox.listen(everywhere), server, true);
    fleet.world.set("CLOUDCONNEXA_AUTH_SHARED_STORE", &store);
    let port = fleet.world.sandbox.address().port();
    let base_url = format!("https://{}:{port}", Dns::NAME);
    fleet.world.set("CLOUDCONNEXA_BASE_URL", &base_url);

    let run = |number: usize| {
        let host = number % namespaces.len();
        let script = namespaces[host].script(&fleet.world.path(""), "token --timeout 60s");
        fleet.on(host, ["-c", &script]).through_shell().start()
    };
    let outcomes = fleet.world.outcomes((0..20).map(run).collect());

    let tokens: BTreeSet<String> = outcomes.into_iter().map(|it| it.succeeds()).collect();
    assert_eq!(tokens.len(), 1);
    assert_eq!(fleet.world.sandbox.token_requests(), 1);
    let clients = fleet.server.cli(&["INFO", "stats"]);
    let line = clients
        .lines()
        .find(|line| line.starts_with("total_connections_received"));
    let count: usize = line
        .unwrap()
        .trim()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(count >= 4, "each host has its own connection");
}

#[test]
fn a_store_whose_first_address_leads_nowhere_is_reached_by_the_second() {
    in_own_network(|| {
        let dns = Dns::start();
        let addresses = ["127.0.0.1", "::1"].map(|text| text.parse().unwrap());
        dns.says(Says::Addresses(addresses.to_vec()));
        shell("ip6tables -A INPUT -p tcp -j DROP");
        let server = Server::plain(&[]);
        let world = World::without_profile(Sandbox::builder());
        world.write_secret("store.secret", PASSWORD);
        world.write_config(&format!(
            "{}\n[profiles.prod.shared_store]\nurl = \"redis://{}:{}\"\ninsecure = true\n\
             password = {{ file = \"store.secret\" }}\n",
            world.profile_text("prod"),
            Dns::NAME,
            server.port
        ));

        world.run(["token"]).succeeds();

        assert_eq!(server.keys().len(), 1, "the store has only the token");
    });
}
