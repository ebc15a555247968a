//! Attacks on input and output of the program: configuration of other users, relative paths,
//! control characters in paths, echoes of a secret, certificates of a hostile kubeconfig, exhausted
//! limits.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloudconnexa_sandbox::{Fault, Sandbox};
use serde_json::json;

use crate::harness::{Outcome, World};
use crate::sources::{command, use_source, world_with};

/// A group that is not the primary group of the tests.
const OTHER_GROUP: u32 = 65_533;

/// The escape of a terminal, and a character that reverses the text after it.
const HOSTILE: &str = "x\u{1b}[31m\u{202e}y";

fn chmod(world: &World, mode: u32) {
    fs::set_permissions(world.config(), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn config_that_others_can_write_runs_no_program() {
    let world = world_with(&command(&["cat", "good.secret"]));
    let is_refused = |says: &str| {
        let stderr = world.run(["token", "--no-cache"]).fails(3);
        assert!(stderr.contains(says), "{stderr}");
        assert!(stderr.contains("may not name programs to run"), "{stderr}");
        assert!(
            stderr.contains("hint: check what it says, then run"),
            "{stderr}"
        );
    };
    for mode in [0o600, 0o644, 0o664, 0o660] {
        chmod(&world, mode);
        world.run(["token", "--no-cache"]).succeeds();
    }
    for mode in [0o666, 0o602, 0o646] {
        chmod(&world, mode);
        is_refused("can be written by every user");
    }
    if rustix::process::geteuid().is_root() {
        chmod(&world, 0o664);
        std::os::unix::fs::chown(world.config(), None, Some(OTHER_GROUP)).unwrap();
        is_refused("can be written by a group");
        chmod(&world, 0o644);
        world.run(["token", "--no-cache"]).succeeds();
        std::os::unix::fs::chown(world.config(), Some(65_534), None).unwrap();
        is_refused("belongs to another user (user ID 65534)");
    }
    chmod(&world, 0o666);
    use_source(&world, "docker_helper = \"any\"");
    chmod(&world, 0o666);
    is_refused("may not name programs to run");
    use_source(&world, "file = \"good.secret\"");
    chmod(&world, 0o666);
    world.run(["token", "--no-cache"]).succeeds();
}

#[test]
fn relative_path_in_a_variable_is_refused() {
    let world = World::new();
    for name in ["CLOUDCONNEXA_AUTH_CONFIG", "CLOUDCONNEXA_AUTH_CACHE_DIR"] {
        for value in ["a", "./a", "../a", "~other/a", "a/~/b"] {
            let stderr = world.run(["token"]).set(name, value).fails(3);
            let says = format!("`{name}` must be an absolute path, or begin with `~/`");
            assert!(stderr.contains(&says), "{value}: {stderr}");
        }
    }
    assert_eq!(world.sandbox.token_requests(), 0);
}

#[test]
fn tilde_in_a_variable_is_the_home_directory() {
    let world = World::new();
    world
        .run(["token"])
        .set("CLOUDCONNEXA_AUTH_CACHE_DIR", "~/chosen")
        .succeeds();
    assert!(world.home().join("chosen").is_dir());
    assert!(!world.path("~").exists(), "nothing is called `~`");
    let stderr = world
        .run(["token"])
        .set("CLOUDCONNEXA_AUTH_CONFIG", "~/missing.toml")
        .fails(3);
    let path = world.home().join("missing.toml");
    assert!(stderr.contains(path.to_str().unwrap()), "{stderr}");
}

#[test]
fn control_characters_in_paths_are_escaped() {
    let world = World::new();
    let profile = world.profile_text("p");
    let hostile = world.path(HOSTILE);
    let hostile = hostile.to_str().unwrap().to_owned();
    let mut outcomes = Vec::new();
    for verb in ["token", "status", "doctor", "get"] {
        outcomes.push(world.run_all(&[verb, "--config", &hostile]).outcome());
        outcomes.push(
            world
                .run_all(&[verb, "-v"])
                .set("CLOUDCONNEXA_AUTH_CACHE_DIR", &format!("{hostile}-cache"))
                .outcome(),
        );
        for (old, new) in [
            (
                "client_secret",
                format!("ca_file = {}\nclient_secret", json!(hostile)),
            ),
            ("prod.secret", HOSTILE.replace('\u{1b}', "\\u001b")),
            ("p.secret", HOSTILE.replace('\u{1b}', "\\u001b")),
        ] {
            world.write_config(&profile.replace(old, &new));
            outcomes.push(world.run_all(&[verb, "--profile", "p"]).outcome());
        }
        use_source(&world, &command(&[HOSTILE]));
        for arguments in [&[verb][..], &[verb, "--json"]] {
            outcomes.push(world.run_all(arguments).outcome());
        }
        fs::remove_file(world.config()).unwrap();
        fs::write(world.path(HOSTILE), "broken = ").unwrap();
        outcomes.push(world.run_all(&[verb, "--config", &hostile]).outcome());
        fs::remove_file(world.path(HOSTILE)).unwrap();
    }
    let mut escaped = 0;
    for Outcome {
        arguments,
        stdout,
        stderr,
        ..
    } in outcomes
    {
        for text in [&stdout, &stderr] {
            let is_safe = |c: char| c == '\n' || (!c.is_control() && c != '\u{202e}');
            assert!(text.chars().all(is_safe), "{arguments:?}: {text:?}");
        }
        escaped += usize::from(stderr.contains("\\u{1b}") || stdout.contains("\\u{1b}"));
    }
    assert!(escaped >= 8, "the paths are shown: {escaped}");
}

#[test]
fn echo_of_the_secret_is_cut_in_every_encoding() {
    let world = World::new();
    let secret = world.sandbox.credential().client_secret;
    world.watch(&secret);
    let hex = |format: fn(u8) -> String| secret.bytes().map(format).collect::<String>();
    for echo in [
        secret[..secret.len() - 1].to_owned(),
        secret[..12].to_owned(),
        secret[4..].to_owned(),
        hex(|byte| format!("%{byte:02X}")),
        hex(|byte| format!("%{byte:02x}")),
        hex(|byte| format!("{byte:02X}")),
        hex(|byte| format!("{byte:02x}")),
        STANDARD.encode(&secret),
        secret.chars().flat_map(|c| [c, '\u{200b}']).collect(),
    ] {
        for body in [
            echo.clone(),
            json!({ "error": "invalid_client", "error_description": echo }).to_string(),
            json!({ "errorMessage": echo }).to_string(),
        ] {
            world.sandbox.always(Some(Fault::Status {
                code: 401,
                headers: Vec::new(),
                body: body.clone().into_bytes(),
            }));
            let stderr = world.run(["token", "-v", "--refresh"]).fails(4);
            let text: String = stderr.chars().filter(|c| !c.is_whitespace()).collect();
            assert!(text.contains("[redacted]"), "{echo}: {stderr}");
            let eight: Vec<char> = echo.chars().filter(|c| *c != '\u{200b}').collect();
            for part in eight.windows(8) {
                let part: String = part.iter().collect();
                assert!(!text.contains(&part), "{echo}: {stderr}");
            }
        }
    }
}

#[test]
fn kubectl_certificates_must_be_the_ca_file() {
    let world = World::without_profile(Sandbox::builder());
    let ca = world.path("ca.pem");
    fs::write(&ca, world.sandbox.ca_pem()).unwrap();
    let plain = world.profile_text("p");
    let with_ca = format!("{plain}ca_file = {}\n", json!(ca));
    let ask = |data: &str| {
        let cluster = json!({
            "server": world.sandbox.base_url(),
            "certificate-authority-data": data,
            "proxy-url": "http://127.0.0.1:9",
        });
        let info = json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "spec": { "interactive": false, "cluster": cluster },
        });
        world
            .run(["kubectl"])
            .set("KUBERNETES_EXEC_INFO", &info.to_string())
    };
    let own = STANDARD.encode(world.sandbox.ca_pem());
    let other = STANDARD.encode(Sandbox::start().ca_pem());
    world.write_config(&plain);
    ask("").succeeds();
    for (config, data) in [(&plain, &own), (&plain, &other), (&with_ca, &other)] {
        world.write_config(config);
        let stderr = ask(data).fails(2);
        assert!(
            stderr.contains("is not the profile's `ca_file`"),
            "{stderr}"
        );
    }
    ask(&own).succeeds();
    assert!(ask("?").fails(2).contains("must be base64"));
}

/// A limit of data that is too small for the stack of a thread.
const NO_THREAD: &str = "ulimit -d 1500 && exec \"$0\" ";

#[test]
fn no_thread_is_needed_for_a_token() {
    let world = World::new();
    for arguments in ["token", "token", "token --refresh", "status", "doctor"] {
        let script = format!("{NO_THREAD}{arguments}");
        let (stdout, stderr) = world
            .run(["-c", &script])
            .through_shell()
            .outcome()
            .succeeds_with_stderr();
        assert!(
            !stdout.is_empty() && !stderr.contains("bug"),
            "{arguments}: {stderr}"
        );
    }
}

#[test]
fn secret_program_without_a_thread_is_unavailable() {
    let world = world_with(&command(&["cat", "good.secret"]));
    let script = format!("{NO_THREAD}token");
    let stderr = world.run(["-c", &script]).through_shell().fails(6);
    assert!(
        stderr.contains("hint: retry; if it stays so, raise the limit"),
        "{stderr}"
    );
    world.token();
    world.run(["-c", &script]).through_shell().succeeds();
}
