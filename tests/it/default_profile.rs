//! `default_profile`: written by the first `login` or `store`, changed by `use` and
//! `login --default`.

use std::fs;

use crate::harness::World;
use crate::login::{acme, login};

/// The name of the profile that `token` uses.
fn chosen(world: &World) -> String {
    let json = world.run(["token", "--json"]).succeeds();
    let token: serde_json::Value = serde_json::from_str(&json).unwrap();
    token["profile"].as_str().unwrap().to_owned()
}

fn log_in(world: &World, flags: &[&str]) -> String {
    login(world, flags).outcome().succeeds_with_stderr().1
}

#[test]
fn first_login_is_the_default_until_another_is_chosen() {
    let world = acme();
    log_in(&world, &["--profile", "a"]);
    let config = fs::read_to_string(world.config()).unwrap();
    assert!(config.starts_with("default_profile = \"a\"\n"), "{config}");

    let stderr = log_in(&world, &["--profile", "b"]);
    assert!(stderr.contains("`cloudconnexa-auth use b`"), "{stderr}");
    assert_eq!(chosen(&world), "a", "a second login breaks no script");

    let (stdout, stderr) = world.run(["use", "b"]).outcome().succeeds_with_stderr();
    assert_eq!(stdout, "");
    assert!(stderr.contains("the default profile is `b`"), "{stderr}");
    assert_eq!(chosen(&world), "b");

    log_in(&world, &["--profile", "c", "--default"]);
    assert_eq!(chosen(&world), "c");
    log_in(&world, &["--profile", "a"]);
    assert_eq!(chosen(&world), "c", "a repeated login changes no default");
}

#[test]
fn only_profile_stays_the_default_after_a_second_login() {
    let world = acme();
    log_in(&world, &["--profile", "a"]);
    let config = fs::read_to_string(world.config()).unwrap();
    let by_hand = config.strip_prefix("default_profile = \"a\"\n\n").unwrap();
    world.write_config(by_hand);
    log_in(&world, &["--profile", "b"]);
    assert_eq!(chosen(&world), "a");
    let run = world.run(["logout", "--profile", "b", "--yes"]);
    run.outcome().succeeds_with_stderr();
    assert_eq!(fs::read_to_string(world.config()).unwrap(), by_hand);
}

#[test]
fn first_store_is_the_default() {
    let world = acme();
    for name in ["a", "b"] {
        let credential = world.sandbox.credential();
        let request = serde_json::json!({
            "profile": name,
            "cloud_id": "acme",
            "client_id": credential.client_id,
            "client_secret": credential.client_secret,
        });
        world.run(["store"]).stdin(request.to_string()).succeeds();
    }
    assert_eq!(chosen(&world), "a");
}

#[test]
fn use_refuses_a_profile_that_is_not_in_the_file() {
    let world = acme();
    let stderr = world.run(["use", "a"]).fails(3);
    assert!(stderr.contains("`cloudconnexa-auth login`"), "{stderr}");
    log_in(&world, &["--profile", "prod"]);
    let before = fs::read_to_string(world.config()).unwrap();
    let stderr = world.run(["use", "prdo"]).fails(3);
    assert!(stderr.contains("did you mean `prod`?"), "{stderr}");
    let stderr = world.run(["use"]).fails(2);
    assert!(stderr.contains("`use` needs a NAME"), "{stderr}");
    assert_eq!(fs::read_to_string(world.config()).unwrap(), before);
}

#[test]
fn use_says_when_the_environment_selects_another_profile() {
    let world = acme();
    for name in ["a", "b"] {
        log_in(&world, &["--profile", name]);
    }
    world.set("CLOUDCONNEXA_PROFILE", "a");
    let (_, stderr) = world.run(["use", "b"]).outcome().succeeds_with_stderr();
    assert!(
        stderr.contains("environment variables select the profile `a`"),
        "{stderr}"
    );
}

#[test]
fn undecided_default_is_explained_with_command_and_file() {
    let world = acme();
    for name in ["a", "b"] {
        log_in(&world, &["--profile", name]);
    }
    let config = fs::read_to_string(world.config()).unwrap();
    let config = config.strip_prefix("default_profile = \"a\"\n").unwrap();
    world.write_config(config);
    let stderr = world.run(["token"]).fails(3);
    let path = world.config().display().to_string();
    for part in ["2 profiles exist", "`cloudconnexa-auth use NAME`", &path] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
}
