//! rclone, with a `webdav` directory that requires the token.

use std::process::Command;

use crate::clients::integration_files::{count_runs, drop_the_token, patient, place, runs};
use crate::clients::{Challenge, Resource, links, revoke_tokens, run, spoil_secret, tool, world};
use crate::harness::World;

/// A directory `acme:` with one file.
fn folder() -> (World, Resource) {
    let world = world();
    let resource = Resource::start(&world, Challenge::Bearer);
    resource.configure(&world);
    links(&world);
    count_runs(&world);
    let url = format!("{}/dav/", resource.url());
    let to = world.home().join("rclone.conf");
    let hosts = [("https://artifacts.acme.internal/", url.as_str())];
    place(&world, "rclone/rclone.conf", &to, &hosts);
    (world, resource)
}

/// rclone with at most three tries; its default is ten.
fn rclone(world: &World) -> Command {
    let mut command = patient(world, tool("rclone"));
    command.args(["--config", "rclone.conf", "--low-level-retries", "3"]);
    command
}

#[test]
fn files_are_listed_and_read_with_the_token() {
    let (world, mut resource) = folder();

    let list = run(&world, rclone(&world).args(["lsf", "acme:"])).succeeds();
    let text = run(&world, rclone(&world).args(["cat", "acme:report.txt"])).succeeds();

    assert_eq!(
        (list.as_str(), text.as_str()),
        ("report.txt\n", "quarterly\n")
    );
    assert_eq!(
        runs(&world),
        ["token", "token"],
        "one process for each command"
    );
    assert_eq!(world.sandbox.token_requests(), 1);
    let shown = resource.tokens_shown();
    assert!(shown.iter().all(|it| it == "Bearer accepted"), "{shown:?}");
}

#[test]
fn a_revoked_token_is_given_again_until_it_is_erased() {
    // rclone starts the command again at each 401, but does not pass the reason.
    let (world, mut resource) = folder();
    world.token();
    revoke_tokens(&world);

    let stderr = run(&world, rclone(&world).args(["cat", "acme:report.txt"])).fails();

    assert!(stderr.contains("401 Unauthorized"), "{stderr}");
    assert!(runs(&world).len() > 1, "it was started again");
    assert_eq!(world.sandbox.token_requests(), 1, "for the same token");
    let shown = resource.tokens_shown();
    assert!(shown.iter().all(|it| it == "Bearer refused"), "{shown:?}");

    drop_the_token(&world);
    let text = run(&world, rclone(&world).args(["cat", "acme:report.txt"])).succeeds();
    assert_eq!(text, "quarterly\n");
}

#[test]
fn rclone_fails_where_the_program_fails_and_tells_its_reason() {
    let (world, mut resource) = folder();
    spoil_secret(&world);

    let stderr = run(&world, rclone(&world).args(["lsf", "acme:"])).fails();

    assert!(
        stderr.contains("refused the credentials of profile `prod`"),
        "{stderr}"
    );
    assert_eq!(resource.record(), [], "no request without a token");
}
