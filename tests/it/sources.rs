//! Each source of a client secret, tested with the real binary and a configuration file. Docker's
//! credential helpers are in `docker_helpers`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use cloudconnexa_sandbox::Sandbox;
use serde_json::json;

use crate::docker_helpers::{install_helper, write_answer};
use crate::harness::{World, write_private};

/// A world whose only profile has this `client_secret`. The right secret is in `good.secret`, both
/// beside the configuration and in the working directory.
pub(crate) fn world_with(source: &str) -> World {
    let world = World::without_profile(Sandbox::builder());
    let secret = world.sandbox.credential().client_secret;
    world.write_secret("good.secret", &secret);
    write_private(&world.path("good.secret"), &format!("{secret}\n"));
    use_source(&world, source);
    world
}

pub(crate) fn use_source(world: &World, source: &str) {
    let base_url = world.sandbox.base_url();
    let client_id = world.sandbox.credential().client_id;
    world.write_config(&format!(
        "[profiles.p]\nbase_url = \"{base_url}\"\nclient_id = \"{client_id}\"\n\
         client_secret = {{ {source} }}\n"
    ));
}

/// A JSON list of strings is also valid TOML.
pub(crate) fn command(words: &[&str]) -> String {
    format!("command = {}", json!(words))
}

fn script(text: &str) -> String {
    command(&["sh", "-c", text])
}

/// Runs `token`, which must fail with exit code 3; returns stderr.
#[track_caller]
pub(crate) fn refused(world: &World, says: &[&str]) -> String {
    let stderr = world.run(["token"]).fails(3);
    assert!(
        stderr.starts_with("cloudconnexa-auth: error: no client secret for profile `p`\n"),
        "the first line alone reports the failure: {stderr}"
    );
    for words in says {
        assert!(stderr.contains(words), "{words:?} is not in\n{stderr}");
    }
    assert_eq!(
        world.sandbox.token_requests(),
        0,
        "no credential for a request"
    );
    let has_token = |(_, entry): &(_, serde_json::Value)| entry.get("token").is_some();
    assert!(!world.entries().iter().any(has_token), "nothing to cache");
    stderr
}

// Variables

#[test]
fn a_variable_of_any_name_holds_the_secret() {
    let world = world_with("env = \"LAB_SECRET\"");
    let hint = "hint: export LAB_SECRET, or choose another source";
    refused(&world, &["variable `LAB_SECRET` is not set", hint]);
    world.set("LAB_SECRET", "");
    refused(&world, &["variable `LAB_SECRET` is not set"]);
    world.set("LAB_SECRET", "one\ntwo");
    refused(&world, &["the variable `LAB_SECRET` holds more than one"]);

    world.set("LAB_SECRET", &world.sandbox.credential().client_secret);
    world.token();
}

#[test]
fn the_profile_of_the_environment_takes_a_file() {
    let world = World::new();
    world.unset("CLOUDCONNEXA_CLIENT_SECRET");
    world.set("CLOUDCONNEXA_CLIENT_SECRET_FILE", "env.secret");
    let path = world.path("env.secret");
    let secret = world.sandbox.credential().client_secret;
    write_private(&path, &secret);

    set_mode(&path, 0o644);
    let stderr = world.run(["token"]).fails(3);
    assert!(stderr.contains("(mode 0644)"), "{stderr}");

    set_mode(&path, 0o600);
    world.token();
    world.set("CLOUDCONNEXA_CLIENT_SECRET_FILE", path.to_str().unwrap());
    world.run(["token", "--refresh"]).succeeds();

    fs::remove_file(&path).unwrap();
    let run = world.run(["token", "--refresh"]);
    run.set("CLOUDCONNEXA_CLIENT_SECRET", &secret).succeeds();
}

// Files

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_is_found_from_the_configurations_folder_by_its_full_path_and_through_a_link() {
    let world = world_with("file = \"good.secret\"");
    world.token();

    let full = world.config_folder().join("good.secret");
    use_source(&world, &format!("file = {}", json!(full)));
    world.run(["token", "--refresh"]).succeeds();

    // As Kubernetes mounts a secret: a link to a file in a directory that is itself a link.
    let folder = world.config_folder();
    fs::create_dir(folder.join("..2026")).unwrap();
    fs::rename(&full, folder.join("..2026/value.secret")).unwrap();
    symlink("..2026", folder.join("..data")).unwrap();
    symlink("..data/value.secret", folder.join("linked.secret")).unwrap();
    use_source(&world, "file = \"linked.secret\"");
    world.run(["token", "--refresh"]).succeeds();
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    for mode in [0o640, 0o644] {
        let world = world_with("file = \"good.secret\"");
        let path = world.config_folder().join("good.secret");
        set_mode(&path, mode);

        let command = format!("chmod 600 '{}'", path.display());
        let told = format!("others can read it (mode {mode:04o})");
        refused(&world, &[&told, &format!("hint: run `{command}`\n")]);

        let status = Command::new("sh").args(["-c", &command]).status();
        assert!(status.unwrap().success(), "{command}");
        world.token();
    }
}

#[test]
fn a_file_through_a_link_is_judged_by_what_it_points_at() {
    let world = world_with("file = \"linked.secret\"");
    let folder = world.config_folder();
    symlink("good.secret", folder.join("linked.secret")).unwrap();
    set_mode(&folder.join("good.secret"), 0o644);
    refused(&world, &["others can read it (mode 0644)"]);
}

#[test]
fn windows_line_ends_and_the_largest_size_are_no_obstacle() {
    let world = world_with("file = \"p.secret\"");
    let path = world.config_folder().join("p.secret");
    let secret = world.sandbox.credential().client_secret;
    write_private(&path, &format!("{secret}\r\n"));
    world.token();

    let longest = "x".repeat(64 * 1024 - 1);
    let client_id = world.sandbox.credential().client_id;
    world.sandbox.set_secret(&client_id, &longest);
    write_private(&path, &format!("{longest}\n"));
    world.run(["token", "--refresh"]).succeeds();
}

#[test]
fn a_file_that_holds_no_secret_is_told_by_what_is_wrong_with_it() {
    let world = world_with("file = \"p.secret\"");
    let path = world.config_folder().join("p.secret");
    let shown = format!("`{}`", path.display());
    let missing = [&shown, "it does not exist", "`cloudconnexa-auth login`"];
    refused(&world, &missing);

    let large = "x".repeat(64 * 1024 + 1);
    for (text, says) in [
        ("", "is empty"),
        ("\n", "is empty"),
        ("first-half\nother-half\n", "more than one line"),
        ("twice\n\n", "more than one line"),
        ("a\tb", "or a control character"),
        (&large, "it is larger than 64 KiB"),
    ] {
        write_private(&path, text);
        let stderr = refused(&world, &[&shown, says]);
        for part in ["-half", "twice", "a b", "xxx"] {
            assert!(!stderr.contains(part), "the secret is shown: {stderr}");
        }
    }
    fs::write(&path, b"\xff\xfe").unwrap();
    refused(&world, &[&shown, "is not UTF-8 text"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused(&world, &[&shown, "it is not a regular file"]);
}

#[test]
fn the_chmod_that_is_offered_can_be_pasted_whatever_the_path() {
    let world = world_with("file = \"it's.secret\"");
    let path = world.config_folder().join("it's.secret");
    fs::copy(world.path("good.secret"), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let stderr = refused(&world, &["others can read it (mode 0644)"]);
    let offered = stderr
        .split('`')
        .find(|part| part.starts_with("chmod"))
        .unwrap();
    assert!(
        Command::new("sh")
            .args(["-c", offered])
            .status()
            .unwrap()
            .success(),
        "{offered}"
    );
    world.token();
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let world = world_with("file = \"p.secret\"");
    let path = world.config_folder().join("p.secret");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    refused(&world, &["it is not a regular file"]);
}

// Programs

#[test]
fn a_program_gets_its_arguments_as_they_are_written() {
    let words = [
        "two words",
        "$HOME",
        "`id`",
        "$(id)",
        "it's",
        "\"quoted\"",
        "*",
        "",
        "-n",
        "a;b|c>d",
        "é",
        "back\\slash",
        "new\nline",
        "%s",
    ];
    let record = "printf '%s\\0' \"$@\" > seen; cat good.secret";
    let world = world_with(&command(
        &[&["sh", "-c", record, "sh"], &words[..]].concat(),
    ));
    world.token();
    let seen = fs::read_to_string(world.path("seen")).unwrap();
    let seen: Vec<&str> = seen.split_terminator('\0').collect();
    assert_eq!(seen, words, "no shell was involved");
}

#[test]
fn what_a_program_says_on_stderr_is_the_users() {
    let world = world_with(&script("echo 'touch your key' >&2; cat good.secret"));
    let (stdout, stderr) = world.run(["token"]).outcome().succeeds_with_stderr();
    assert_eq!(stderr, "touch your key\n", "and nothing else");
    assert!(!stdout.contains("touch"), "{stdout}");

    use_source(&world, &script("echo 'the vault is sealed' >&2; exit 1"));
    let outcome = world.run(["token", "--refresh"]).outcome();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(3), ""));
    let said = "the vault is sealed\ncloudconnexa-auth: error: no client secret for profile `p`\n";
    assert!(
        outcome.stderr.starts_with(said),
        "its output comes first: {}",
        outcome.stderr
    );
}

#[test]
fn a_program_that_gives_no_secret_is_told_by_how_it_failed() {
    let world = world_with(&command(&["false"]));
    for (source, says) in [
        (command(&["false"]), "`false` failed: exit status: 1"),
        (script("exit 42"), "`sh` failed: exit status: 42"),
        (script("cat good.secret; exit 1"), "exit status: 1"),
        (script("kill -9 $$"), "`sh` failed: signal: 9"),
        (command(&["true"]), "the output of `true` is empty"),
        (script("echo"), "the output of `sh` is empty"),
        (script("cat good.secret good.secret"), "more than one line"),
        (script(r"printf '\377\376'"), "is not UTF-8 text"),
        (
            command(&["head", "-c", "65537", "/dev/zero"]),
            "the output of `head` is longer than 64 KiB",
        ),
        (command(&["yes"]), "the output of `yes` is longer than"),
        (
            command(&["/no/such/program"]),
            "`/no/such/program` could not be started: No such file",
        ),
        (
            command(&["nothing-of-that-name"]),
            "hint: install it, or correct `client_secret`; the program is looked up in the absolute directories of PATH",
        ),
        (command(&["./good.secret"]), "Permission denied"),
    ] {
        use_source(&world, &source);
        refused(&world, &[says]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn hung_program_is_ended_in_a_process_namespace() {
    let unshare = "unshare --user --map-root-user --pid --fork --kill-child --mount-proc";
    let tried = Command::new("sh")
        .args(["-c", &format!("{unshare} true")])
        .output()
        .unwrap();
    let found = tried.status.success().then(|| "/usr/bin/unshare".into());
    if crate::clients::found_or_skipped("a process namespace (unshare --pid)", found).is_none() {
        return;
    }
    let world = world_with(&script("sleep 1000 2>&-; :"));
    // The leader of the process group is outside of the namespace, so getpgrp(2) returns 0 inside.
    let command = format!("exec {unshare} \"$0\" token --timeout 3s");
    let stderr = world.run(["-c", &command]).through_shell().fails(6);
    assert!(stderr.contains("gave no answer within 3s"), "{stderr}");
}

#[test]
fn a_program_that_hangs_is_ended_with_the_run() {
    let world = world_with(&command(&["true"]));
    let folder = install_helper(&world, "hangs", "echo $$ > hangs.pid; exec sleep 60 2>&-");
    let sources = [
        ("silent", script("echo $$ > silent.pid; exec sleep 60 2>&-")),
        (
            "closed",
            script("cat good.secret; echo $$ > closed.pid; exec sleep 60 >&- 2>&-"),
        ),
        ("hangs", "docker_helper = \"hangs\"".to_owned()),
    ];
    // They have no stderr, because the harness reads stderr to its end and would wait for a process
    // that survives. Each takes the whole time limit, so they run in parallel, with separate caches
    // and configurations.
    let mut running = Vec::new();
    for (name, source) in &sources {
        use_source(&world, source);
        let own = format!("{name}.toml");
        fs::rename(world.config(), world.path(&own)).unwrap();
        running.push(
            world
                .run(["token", "--timeout", "3s", "--config", &own])
                .set(
                    "CLOUDCONNEXA_AUTH_CACHE_DIR",
                    world.path(name).to_str().unwrap(),
                )
                .set("PATH", &folder)
                .start(),
        );
    }
    for ((name, _), outcome) in sources.iter().zip(world.outcomes(running)) {
        let stderr = outcome.fails(6);
        assert!(
            stderr.contains("gave no answer within 3s") && stderr.contains("see `--timeout`"),
            "{name}: {stderr}"
        );
        let pid = fs::read_to_string(world.path(&format!("{name}.pid"))).unwrap();
        let alive = Command::new("kill")
            .args(["-0", pid.trim()])
            .stderr(Stdio::null())
            .status();
        assert!(
            !alive.unwrap().success(),
            "{name}: {} is still running",
            pid.trim()
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_hanging_program_has_started_ends_with_it_but_for_daemons() {
    // They inherit our stderr, and the harness reads it to its end.
    let text = "echo $$ > sh.pid; setsid sh -c 'echo $$ > daemon.pid; exec sleep 60 >&- 2>&-' & \
                (echo 1; (sh -c 'echo $$ > grandchild.pid; exec sleep 60'; true)) | cat; true";
    let world = world_with(&script(text));

    let run = world.run(["token", "--timeout", "3s"]);
    let stderr = run.fails(6);

    assert!(stderr.contains("gave no answer within 3s"), "{stderr}");
    let is_alive = |name: &str| {
        let pid = fs::read_to_string(world.path(name)).unwrap();
        let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        // The process that adopts a zombie may take some time to reap it.
        state.is_ok_and(|state| !state.contains(") Z "))
    };
    assert!(is_alive("daemon.pid"), "an agent serves other programs too");
    let daemon = fs::read_to_string(world.path("daemon.pid")).unwrap();
    Command::new("kill").arg(daemon.trim()).status().unwrap();
    assert!(!is_alive("sh.pid") && !is_alive("grandchild.pid"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_program_may_ask_the_person_at_the_terminal() {
    let text = "printf 'PIN: ' > /dev/tty; read -r pin < /dev/tty; test \"$pin\" = 1234 && \
                cat good.secret";
    let world = world_with(&script(text));
    let mut terminal = crate::terminal::Terminal::run(&world, &["exec", "--", "true"]);
    terminal.answer("PIN: ", "1234");
    let ended = terminal.end();
    assert_eq!(ended.code, 0, "it is in the foreground: {}", ended.screen);
}

#[test]
fn a_program_is_not_run_while_the_cache_has_a_token() {
    let world = world_with(&script("echo run >> runs; cat good.secret"));
    let runs = || {
        fs::read_to_string(world.path("runs"))
            .unwrap()
            .lines()
            .count()
    };
    let token = world.token();
    for _ in 0..3 {
        assert_eq!(world.token(), token);
    }
    assert_eq!(runs(), 1, "a touch of the key for each call is too much");
    world.run(["token", "--refresh"]).succeeds();
    assert_eq!(runs(), 2, "`--refresh` runs the command again");
}

#[test]
fn a_program_does_not_inherit_the_secret_of_the_environments_profile() {
    let world = World::new();
    let credential = world.sandbox.credential();
    write_private(&world.path("good.secret"), &credential.client_secret);
    write_answer(&world, &credential.client_id, &credential.client_secret);
    world.set(
        "PATH",
        &install_helper(&world, "looks", "env > seen; cat answer.secret"),
    );
    let script = script("env > seen; cat good.secret");
    for source in [script.as_str(), "docker_helper = \"looks\""] {
        use_source(&world, source);
        world
            .run(["token", "--profile", "p", "--refresh"])
            .succeeds();
        let seen = fs::read_to_string(world.path("seen")).unwrap();
        assert!(
            seen.contains("CLOUDCONNEXA_CLIENT_ID="),
            "{source}: it was started, and inherits everything else"
        );
        assert!(!seen.contains("CLOUDCONNEXA_CLIENT_SECRET"), "{source}");
        fs::remove_file(world.path("seen")).unwrap();
    }
}

// systemd

#[test]
fn a_systemd_credential_is_read_from_the_folder_that_systemd_names() {
    let world = world_with("systemd_credential = \"api\"");
    refused(
        &world,
        &[
            "`CREDENTIALS_DIRECTORY` is not set",
            "`LoadCredential=api:…`",
        ],
    );

    let folder = world.path("credentials");
    fs::create_dir(&folder).unwrap();
    world.set("CREDENTIALS_DIRECTORY", folder.to_str().unwrap());
    let file = folder.join("api");
    refused(
        &world,
        &[
            "there is no systemd credential `api`",
            "`LoadCredential=api:…`",
        ],
    );

    let secret = world.path("good.secret");
    fs::copy(&secret, folder.join("api.secret")).unwrap();
    symlink("api.secret", &file).unwrap();
    // With an ACL for the service's user, the mode shows group permissions that the group does not
    // have.
    set_mode(&secret, 0o440);
    world.token();
}
