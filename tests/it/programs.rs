//! The programs that this program starts: how they are found, and their environment.

use std::fs;

use cloudconnexa_sandbox::Sandbox;

use crate::clients::write_program;
use crate::harness::{World, write_private};
use crate::sources::{command, world_with};

/// A world with the profile `own`, which has this source, and the profile `other`, whose secret is
/// in the variable `OTHER_SECRET`. No profile uses the variable `WITNESS`.
fn world_with_two_profiles(source: &str) -> World {
    let world = World::without_profile(Sandbox::builder().no_rate_limit());
    let secret = world.sandbox.credential().client_secret;
    write_private(&world.path("own.secret"), &secret);
    let of = |name: &str, source: &str| {
        let lines = world.profile_text(name);
        let lines = lines
            .lines()
            .filter(|line| !line.starts_with("client_secret"));
        let text = lines.collect::<Vec<_>>().join("\n");
        format!("{text}\nclient_secret = {{ {source} }}\n")
    };
    let store =
        "shared_store = { url = \"rediss://127.0.0.1:1\", password = { env = \"STORE_WORD\" } }\n";
    world.write_config(&format!(
        "default_profile = \"own\"\n{}{}{store}",
        of("own", source),
        of("other", "env = \"OTHER_SECRET\"")
    ));
    for name in [
        "OTHER_SECRET",
        "STORE_WORD",
        "CLOUDCONNEXA_CLIENT_SECRET",
        "CLOUDCONNEXA_AUTH_SHARED_STORE_PASSWORD",
        "CLOUDCONNEXA_TOKEN",
        "WITNESS",
    ] {
        world.set(name, &format!("value-of-{name}"));
    }
    world
}

/// Checks the environment that a program wrote into `seen`.
fn check_seen(world: &World, case: &str) {
    let seen = fs::read_to_string(world.path("seen")).unwrap();
    let values: Vec<&str> = seen
        .lines()
        .filter(|line| line.contains("value-of-"))
        .collect();
    assert_eq!(values, ["WITNESS=value-of-WITNESS"], "{case}");
    fs::remove_file(world.path("seen")).unwrap();
}

#[test]
fn programs_inherit_no_secret_of_any_profile_or_store() {
    let look = "env > seen; cat own.secret";
    let words = command(&["sh", "-c", look]);
    let world = world_with_two_profiles(&words);
    world.run(["token", "--no-cache"]).succeeds();
    check_seen(&world, "the command of a secret");

    let bin = world.path("bin");
    fs::create_dir_all(&bin).unwrap();
    write_program(&bin.join("curl"), "#!/bin/sh\nenv > seen\n");
    world.set("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
    world.run(["curl", "/api/v1/networks"]).succeeds();
    check_seen(&world, "curl");

    // `exec` is meant to pass the token.
    let script = "unset CLOUDCONNEXA_TOKEN; env > seen";
    world.run(["exec", "--", "sh", "-c", script]).succeeds();
    check_seen(&world, "exec");
}

#[test]
fn program_of_a_store_password_inherits_no_secret() {
    let world = world_with_two_profiles("file = \"own.secret\"");
    let words = command(&["sh", "-c", "env > seen; echo word"]);
    let text = fs::read_to_string(world.config()).unwrap();
    let store = format!(
        "shared_store = {{ url = \"rediss://127.0.0.1:1\", password = {{ {words} }} }}\n[profiles.other]"
    );
    world.write_config(&text.replacen("[profiles.other]", &store, 1));
    // The store cannot be reached, but its password is read before that.
    world.run(["token"]).outcome().succeeds_with_stderr();
    check_seen(&world, "the command of a store's password");
}

#[test]
fn programs_are_found_in_absolute_directories_only() {
    let world = world_with_two_profiles(&command(&["sh", "-c", "/bin/cat own.secret"]));
    for directory in ["", "bin"] {
        let directory = world.path(directory);
        fs::create_dir_all(&directory).unwrap();
        for name in ["curl", "sh", "planted", "docker-credential-planted"] {
            write_program(&directory.join(name), "#!/bin/sh\necho > planted-ran\n");
        }
    }
    world.token();
    let system = "/usr/bin:/bin";
    for path in [
        format!(":{system}"),
        format!("{system}:"),
        "/usr/bin::/bin".to_owned(),
        format!(".:bin:{system}"),
        String::new(),
    ] {
        world.set("PATH", &path);
        let networks = world.run(["curl", "/api/v1/networks", "-sS"]).succeeds();
        assert!(networks.contains("office"), "{path:?}: the system's curl");
        world.run(["token", "--no-cache"]).succeeds();
        let stderr = world.run(["exec", "--", "planted"]).fails(127);
        assert!(stderr.contains("planted"), "{stderr}");
        assert!(!world.path("planted-ran").exists(), "{path:?}");
    }

    world.set("PATH", &format!(":{system}"));
    // A path is not searched for in PATH.
    world.run(["exec", "--", "./planted"]).succeeds();
    assert!(world.path("planted-ran").exists());
}

#[test]
fn credential_helper_is_not_run_from_the_working_directory() {
    let world = world_with("docker_helper = \"planted\"");
    let planted = "#!/bin/sh\necho > planted-ran\n";
    write_program(&world.path("docker-credential-planted"), planted);
    for path in [":/usr/bin:/bin", "/usr/bin:/bin:", "", "."] {
        let stderr = world.run(["token"]).set("PATH", path).fails(3);
        assert!(stderr.contains("could not be started"), "{stderr}");
    }
    assert!(!world.path("planted-ran").exists());
}
