//! Ansible, in a virtual environment, with the published playbook.

use std::process::Command;

use crate::clients::integration_files::{api_requests, patient, place};
use crate::clients::{configure, links, run, spoil_secret, tool, trust, world};
use crate::harness::World;

fn controller() -> World {
    let world = world();
    configure(&world, &[]);
    trust(&world, &[]);
    links(&world);
    let to = world.home().join("playbook.yml");
    place(&world, "ansible/playbook.yml", &to, &[]);
    world
}

/// Runs the playbook as a user does: without an inventory, so on this machine only.
fn playbook(world: &World) -> Command {
    let mut command = patient(world, tool("ansible-playbook"));
    command.arg("playbook.yml").env("LANG", "C.UTF-8");
    // The default directory is in the home of the user database, not in `HOME`.
    command.env("ANSIBLE_REMOTE_TMP", world.path("ansible"));
    command
}

#[test]
fn the_playbook_lists_networks_and_shows_no_token_however_much_it_tells() {
    let world = controller();

    let ended = run(&world, playbook(&world).arg("-vvv"));

    let told = ended.without_token(&world).succeeds();
    assert!(told.contains("office"), "{told}");
    assert_eq!(api_requests(&world), ["GET /api/v1/networks 200"]);
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "Ansible may evaluate the lookup more than once"
    );
}

#[test]
fn the_play_fails_where_the_program_fails() {
    let world = controller();
    spoil_secret(&world);

    let ended = run(&world, playbook(&world).arg("-v"));

    assert_eq!(ended.code, Some(2), "{}", ended.story());
    assert_eq!(api_requests(&world), [""; 0], "no request without a token");
}
