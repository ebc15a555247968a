//! Tests with a small cluster on loopback, and with a Valkey server if one is installed.

use std::path::Path;
use std::process::Command;

use cloudconnexa_sandbox::{CredentialSpec, Sandbox};

use super::{Fleet, PASSWORD, Server};
use crate::clients::{find, found_or_passed_over};

/// Starts three nodes that share the slots.
fn cluster() -> Vec<Server> {
    let node = || Server::plain(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
    let nodes: Vec<Server> = (0..3).map(|_| node()).collect();
    let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
    let made = Command::new("redis-cli")
        .args(
            ["--cluster", "create", "--cluster-yes"]
                .into_iter()
                .map(str::to_owned),
        )
        .args(addresses)
        .env("REDISCLI_AUTH", PASSWORD)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stdout)
    );
    for node in &nodes {
        while !node.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok") {
            std::thread::yield_now();
        }
    }
    nodes
}

#[test]
fn in_a_cluster_any_node_leads_to_the_one_that_has_the_identity() {
    let mut nodes = cluster();
    let urls: Vec<String> = nodes.iter().map(|node| node.url(false)).collect();
    let fleet = Fleet::with(Sandbox::builder(), nodes.pop().unwrap(), false);

    for identity in 0..4 {
        let credential = fleet
            .world
            .sandbox
            .add_credential(CredentialSpec::default());
        let token = |host: usize, url: &str| {
            fleet
                .on(host, ["token"])
                .set("CLOUDCONNEXA_AUTH_SHARED_STORE", url)
                .set("CLOUDCONNEXA_CLIENT_ID", &credential.client_id)
                .set("CLOUDCONNEXA_CLIENT_SECRET", &credential.client_secret)
                .succeeds()
        };
        let first = token(10 * identity, &urls[0]);
        for (number, url) in urls.iter().enumerate() {
            assert_eq!(
                token(10 * identity + 1 + number, url),
                first,
                "through {url}"
            );
        }
        let asked = fleet.world.sandbox.token_requests_of(&credential.client_id);
        assert_eq!(asked, 1, "only one host requests a token, through any node");
    }
    nodes.push(fleet.server);
    let keys: usize = nodes.iter().map(|node| node.keys().len()).sum();
    assert_eq!(keys, 4, "each entry is on one node");
}

#[test]
fn a_valkey_server_is_a_store_too() {
    let program = find("valkey-server", |_| true);
    let Some(program) = found_or_passed_over("valkey-server", program) else {
        return;
    };
    let server = Server::of(Path::new(&program), true, &[]);
    let fleet = Fleet::with(Sandbox::builder(), server, true);
    assert_eq!(fleet.token(1), fleet.token(2));
    assert_eq!(fleet.world.sandbox.token_requests(), 1);
}
