//! The certificates that curl trusts, and the hosts it connects to.

use std::fs;

use cloudconnexa_sandbox::Sandbox;

use crate::harness::World;

use super::{NETWORKS, world};

/// A world whose profile has the sandbox's CA, but whose environment does not.
fn world_with_ca_file() -> World {
    let world = world(&[]);
    let file = world.path("profile-ca.pem");
    fs::write(&file, world.sandbox.ca_pem()).unwrap();
    world.unset("SSL_CERT_FILE");
    let profile = world.profile_text("prod");
    world.write_config(&format!("{profile}ca_file = \"{}\"\n", file.display()));
    world
}

#[test]
fn curl_trusts_the_profiles_ca_file() {
    let world = world_with_ca_file();
    let printed = world.run(["curl", NETWORKS, "-sS"]).succeeds();
    assert!(printed.contains("office"), "{printed}");
    world.run(["doctor"]).outcome().succeeds_with_stderr();

    let other = world.path("other.pem");
    fs::write(&other, Sandbox::start().ca_pem()).unwrap();
    let other = other.to_str().unwrap();
    let run = world.run(["curl", NETWORKS, "-sS"]);
    run.set("CURL_CA_BUNDLE", other).succeeds();
    let outcome = world
        .run(["curl", NETWORKS, "-s", "--cacert", other])
        .outcome();
    assert_eq!(
        outcome.code,
        Some(60),
        "an option of the caller has priority"
    );
}

#[test]
fn root_and_server_are_not_chosen_together() {
    let world = world_with_ca_file();
    // No process listens on port 1.
    let connect_to = "::127.0.0.1:1".to_owned();
    for routing in [
        &["--connect-to", connect_to.as_str()][..],
        &["--resolve", "a:443:127.0.0.1"],
        &["-x", "http://127.0.0.1:1"],
        &["--unix-socket", "socket"],
        &["--doh-url", "https://127.0.0.1:1/"],
        &["--alt-svc", "file"],
    ] {
        for trust in [["--cacert", "ca.pem"], ["--capath", "."]] {
            let all = [&["curl", NETWORKS], routing, &trust].concat();
            let stderr = world.run_all(&all).fails(2);
            assert!(stderr.contains("hint: set `ca_file`"), "{all:?}: {stderr}");
        }
    }
    assert!(world.sandbox.requests().is_empty(), "no token is requested");

    // `ca_file` of the profile is not an option of the caller, so curl reaches the server.
    let all = ["curl", NETWORKS, "-sS", "--connect-to", &connect_to];
    let outcome = world.run_all(&all).outcome();
    assert_eq!(outcome.code, Some(7), "no connection: {outcome:?}");
}

#[test]
fn root_of_a_variable_and_server_of_an_option_are_refused() {
    let world = world(&[]);
    let roots = world.path("roots.pem");
    fs::write(&roots, world.sandbox.ca_pem()).unwrap();
    world.unset("SSL_CERT_FILE");
    for name in ["CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        let run = world.run(["curl", NETWORKS, "--connect-to", "::127.0.0.1:1"]);
        let stderr = run.set(name, roots.to_str().unwrap()).fails(2);
        assert!(stderr.contains(name), "{stderr}");
    }
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn curl_writes_no_keys_of_the_tls_session() {
    let world = world(&[]);
    let keys = world.path("keys.log");
    for body in [&[][..], &["-d", "x"]] {
        let all = [&["curl", NETWORKS, "-sS"], body].concat();
        let run = world.run_all(&all);
        run.set("SSLKEYLOGFILE", keys.to_str().unwrap()).succeeds();
    }
    assert!(!keys.exists());
}
