//! GNU make with the include file.

use std::fs;

use crate::clients::integration_files::{
    api_requests, bash, place, recipe, started, started_without_token, watched,
};
use crate::clients::{configure, links, revoke_tokens, run, spoil_secret, trust, world};
use crate::harness::World;

/// A home with the Makefile and the file that it includes.
fn project() -> World {
    let world = world();
    configure(&world, &[]);
    trust(&world, &[]);
    links(&world);
    for name in ["cloudconnexa.mk", "Makefile"] {
        let to = world.home().join(name);
        place(&world, &format!("make/{name}"), &to, &[]);
    }
    world
}

#[test]
fn a_target_gets_its_answer_and_the_token_is_neither_echoed_nor_an_argument_nor_a_variable() {
    let world = project();

    let ended = run(
        &world,
        watched(&world, "make").args(["--trace", "networks.json"]),
    );

    let told = ended.without_token(&world).succeeds();
    assert!(
        told.contains("curl --silent"),
        "--trace shows commands: {told}"
    );
    let networks = fs::read_to_string(world.home().join("networks.json")).unwrap();
    assert!(networks.contains("office"), "{networks}");
    assert!(started(&world).iter().any(|line| line.contains("\"curl\"")));
    started_without_token(&world);
}

#[test]
fn a_target_fails_where_there_is_no_token() {
    let world = project();
    spoil_secret(&world);

    let ended = bash(&world, "make networks.json");

    assert_eq!(ended.code, Some(2), "{}", ended.story());
    assert!(ended.stderr.contains("cloudconnexa-auth: error: "));
    assert!(!world.home().join("networks.json").exists());
    assert_eq!(api_requests(&world), [""; 0], "curl was not started");
}

#[test]
fn a_target_fails_where_the_api_refuses_and_leaves_no_file() {
    let world = project();
    bash(&world, "make --question networks.json").fails();
    world.token();
    revoke_tokens(&world);

    let ended = bash(&world, "make networks.json");

    assert_eq!(ended.code, Some(2), "{}", ended.story());
    assert!(ended.stderr.contains("401"), "{}", ended.story());
    assert!(!world.home().join("networks.json").exists());
}

#[test]
fn a_path_that_makes_another_host_of_the_url_ends_before_curl_starts() {
    let world = project();
    for path in ["@evil.test/", ".evil.test/", ":444/"] {
        let makefile = recipe(&world, "make/Makefile", &[]);
        let call = format!("$(call cloudconnexa-curl,{path} --output x)");
        let makefile = format!("{makefile}\nx:\n\t{call}\n");
        fs::write(world.home().join("Makefile"), makefile).unwrap();

        let ended = bash(&world, "make x");

        assert_eq!(ended.code, Some(2), "{}", ended.story());
        assert!(ended.stderr.contains("own hosts only"), "{}", ended.story());
    }
    assert_eq!(world.sandbox.requests(), [], "no request is sent");
}

#[test]
fn parallel_targets_cost_one_token_request() {
    let world = project();
    let mut makefile = recipe(&world, "make/Makefile", &[]);
    makefile.push_str("\n%.json:\n\t$(call cloudconnexa-curl,/api/v1/networks --output $@)\n");
    fs::write(world.home().join("Makefile"), makefile).unwrap();

    bash(&world, "make -j8 networks.json {1..7}.json").succeeds();

    assert_eq!(api_requests(&world), ["GET /api/v1/networks 200"; 8]);
    assert_eq!(world.sandbox.token_requests(), 1, "they share a cache");
}
