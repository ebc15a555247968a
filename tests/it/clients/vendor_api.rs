//! A Go program written from the vendor's API reference, against the sandbox.

use std::fs;
use std::path::Path;

use crate::clients::{client, configure, links, run, test_tools, tool, trust, world};
use crate::harness::{PROGRAM, World};

/// A home with the source of the program.
fn prepare() -> World {
    let world = world();
    configure(&world, &[]);
    trust(&world, &[]);
    links(&world);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/vendor_api/main.go");
    fs::copy(source, world.home().join("main.go")).unwrap();
    fs::write(
        world.home().join("go.mod"),
        "module acme.test/api\n\ngo 1.22\n",
    )
    .unwrap();
    world
}

/// Runs the program through `exec`; returns the number of token requests.
#[track_caller]
fn run_through_exec(flags: &[&str]) -> usize {
    let world = prepare();
    let mut command = client(&world, "timeout");
    command
        .args(["--kill-after=5", "300", PROGRAM, "exec"])
        .args(flags)
        .arg("--")
        .arg(tool("go"))
        .args(["run", "main.go"])
        .env("GOCACHE", test_tools().join("go-cache"))
        .env("GOTOOLCHAIN", "local")
        .env("CGO_ENABLED", "0");
    let ended = run(&world, &mut command);
    let printed = ended.without_token(&world).succeeds();
    assert_eq!(printed, "the API is as documented\n");
    world.sandbox.token_requests()
}

#[test]
fn api_is_as_documented_with_a_token() {
    assert_eq!(run_through_exec(&[]), 1, "the program uses our token");
}

#[test]
fn api_is_as_documented_with_credentials() {
    let requests = run_through_exec(&["--with-credentials"]);
    assert_eq!(requests, 2, "our request, and the one of the program");
}
