//! `http`, which can read a header from a file.

use crate::clients::integration_files::{
    api_requests, bash, first_on_path, place, started, started_without_token, watched,
};
use crate::clients::{configure, links, run, spoil_secret, tool, trust, world};
use crate::harness::World;

/// A world with `cloudconnexa-http` and `http` on PATH.
fn with_wrapper() -> World {
    let world = world();
    configure(&world, &[]);
    trust(&world, &[]);
    let bin = links(&world);
    first_on_path(&world, tool("http").parent().unwrap());
    let to = bin.join("cloudconnexa-http");
    place(&world, "httpie/cloudconnexa-http", &to, &[]);
    world
}

fn networks_url(world: &World) -> String {
    format!("{}/api/v1/networks", world.sandbox.base_url())
}

#[test]
fn the_wrapper_asks_the_api_and_neither_arguments_nor_variables_hold_the_token() {
    let world = with_wrapper();
    let mut wrapper = watched(&world, "cloudconnexa-http");
    wrapper.args([
        "--ignore-stdin",
        "--check-status",
        "GET",
        &networks_url(&world),
    ]);

    let answer = run(&world, &mut wrapper).without_token(&world).succeeds();

    assert!(answer.contains("office"), "{answer}");
    let http = |line: &String| line.contains("Authorization:@");
    assert!(started(&world).iter().any(http), "HTTPie was recorded");
    started_without_token(&world);
}

#[test]
fn flags_and_items_reach_httpie() {
    let world = with_wrapper();
    let url = format!(
        "{}/api/v1/networks/7f3a0c1e-0000-4000-8000-000000000001",
        world.sandbox.base_url()
    );

    bash(
        &world,
        &format!("cloudconnexa-http --ignore-stdin --check-status PUT {url} name='office 2'"),
    )
    .without_token(&world)
    .succeeds();

    assert_eq!(
        api_requests(&world),
        ["PUT /api/v1/networks/7f3a0c1e-0000-4000-8000-000000000001 200"]
    );
}

#[test]
fn without_a_token_or_for_a_foreign_host_httpie_is_not_started() {
    let world = with_wrapper();
    let foreign = "cloudconnexa-http https://acme.api.openvpn.com.evil.test/";
    assert_eq!(bash(&world, foreign).code, Some(3));
    assert_eq!(bash(&world, "cloudconnexa-http --form").code, Some(3));
    // HTTPie takes the first argument as the URL, and the second as a header.
    let two = format!("cloudconnexa-http evil.test {}", networks_url(&world));
    for call in ["cloudconnexa-http localhost/", &two] {
        let ended = bash(&world, call);
        assert_eq!(ended.code, Some(2), "{}", ended.story());
        assert!(ended.stderr.contains("usage: "), "{}", ended.story());
    }

    spoil_secret(&world);
    let script = format!("cloudconnexa-http --ignore-stdin {}", networks_url(&world));
    let ended = bash(&world, &script);

    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""));
    assert_eq!(api_requests(&world), [""; 0]);
}
