//! curl, with the token in no argument.

use std::fs;

use crate::clients::integration_files::{
    api_requests, bash, place, started, started_without_token, watched,
};
use crate::clients::{configure, links, run, spoil_secret, trust, world};
use crate::harness::World;

const NETWORKS: &str = "/api/v1/networks";

/// The ID of a network in the sandbox's sample data.
const OFFICE: &str = "7f3a0c1e-0000-4000-8000-000000000001";

/// A world with `cloudconnexa-curl` on PATH.
fn with_wrapper() -> World {
    let world = world();
    configure(&world, &[]);
    trust(&world, &[]);
    let bin = links(&world);
    place(
        &world,
        "curl/cloudconnexa-curl",
        &bin.join("cloudconnexa-curl"),
        &[],
    );
    world
}

fn networks_url(world: &World) -> String {
    format!("{}{NETWORKS}", world.sandbox.base_url())
}

#[test]
fn the_wrapper_asks_the_api_and_neither_arguments_nor_variables_hold_the_token() {
    let world = with_wrapper();

    let answer = run(
        &world,
        watched(&world, "cloudconnexa-curl").arg(networks_url(&world)),
    )
    .without_token(&world)
    .succeeds();

    assert!(answer.contains("office"), "{answer}");
    let curl = |line: &String| line.contains("\"curl\"");
    assert_eq!(
        started(&world).into_iter().filter(curl).count(),
        1,
        "curl was recorded"
    );
    started_without_token(&world);
}

#[test]
fn more_arguments_of_curl_reach_curl() {
    let world = with_wrapper();
    let url = format!("{}/api/v1/networks/{OFFICE}", world.sandbox.base_url());
    let script =
        format!("cloudconnexa-curl '{url}' --request PUT --data '{{\"name\":\"office 2\"}}'");

    bash(&world, &script).without_token(&world).succeeds();

    let request = format!("PUT /api/v1/networks/{OFFICE} 200");
    assert_eq!(api_requests(&world), [request]);
}

#[test]
fn a_curlrc_that_would_show_headers_is_not_read() {
    let world = with_wrapper();
    fs::write(world.home().join(".curlrc"), "verbose\n").unwrap();
    let script = format!("cloudconnexa-curl '{}'", networks_url(&world));

    let ended = bash(&world, &script);

    assert_eq!(
        ended.stderr, "",
        "`verbose` prints the Authorization header"
    );
    ended.succeeds();
}

#[test]
fn without_a_token_the_wrapper_sends_nothing() {
    let world = with_wrapper();
    spoil_secret(&world);
    let script = format!("cloudconnexa-curl '{}'", networks_url(&world));

    let ended = bash(&world, &script);

    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""));
    assert!(ended.stderr.contains("cloudconnexa-auth: error: "));
    assert_eq!(api_requests(&world), [""; 0], "curl was not started");
}

#[test]
fn a_foreign_url_ends_the_wrapper_before_curl_starts() {
    let world = with_wrapper();
    for url in [
        "https://acme.api.openvpn.com.evil.test/".to_owned(),
        networks_url(&world).replace("https://", "http://"),
        networks_url(&world).replace("https://", "https://user@"),
    ] {
        let ended = run(&world, watched(&world, "cloudconnexa-curl").arg(&url));

        assert_eq!(ended.code, Some(3), "{}", ended.story());
        assert!(
            !started(&world).iter().any(|line| line.contains("\"curl\"")),
            "{url}: curl is not started"
        );
    }
    assert_eq!(world.sandbox.requests(), []);
}

#[test]
fn the_pipe_of_the_readme_fails_where_the_program_fails() {
    // curl then sends a request without the header; its response must not pass for an answer.
    let world = with_wrapper();
    spoil_secret(&world);
    let script = format!(
        "cloudconnexa-auth header --curl | curl --silent --fail --config - {}",
        networks_url(&world)
    );

    let ended = bash(&world, &script);

    assert_eq!((ended.code, ended.stdout.as_str()), (Some(22), ""));
    assert_eq!(api_requests(&world), ["GET /api/v1/networks 401"]);
}

#[test]
fn a_header_file_of_curl_takes_the_header_as_it_is_printed() {
    let world = with_wrapper();
    let script = format!(
        "cloudconnexa-auth header | curl --silent --fail --header @- {}",
        networks_url(&world)
    );

    let answer = bash(&world, &script).without_token(&world).succeeds();

    assert!(answer.contains("office"), "{answer}");
}
