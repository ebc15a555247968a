//! `exec`: the environment of the command, and that the command replaces the program.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use cloudconnexa_sandbox::Sandbox;

use crate::harness::{Outcome, World};

/// A world with a profile `prod` in the file, and the sandbox's credential.
fn world() -> World {
    let world = World::without_profile(Sandbox::builder());
    world.write_config(&world.profile_text("prod"));
    world
}

/// Runs `exec` with these flags; it becomes a shell that runs `script`.
fn shell(world: &World, flags: &[&str], script: &str) -> Outcome {
    let arguments = [&["exec"], flags, &["--", "/bin/sh", "-c", script]].concat();
    world.run_all(&arguments).outcome()
}

#[test]
fn the_command_has_the_token_and_where_it_is_good_for() {
    let world = world();
    let printed = shell(
        &world,
        &[],
        "echo $CLOUDCONNEXA_TOKEN; echo $CLOUDCONNEXA_BASE_URL; echo $CLOUDCONNEXA_PROFILE",
    );
    let expected = format!("{}\n{}\nprod\n", world.token(), world.sandbox.base_url());
    assert_eq!(printed.succeeds(), expected);
    assert_eq!(world.sandbox.token_requests(), 1);
}

#[test]
fn the_cloud_id_is_told_where_there_is_one_and_no_other_profiles_stays() {
    let world = world();
    let print = "echo ${CLOUDCONNEXA_CLOUD_ID-none}";
    world.set("CLOUDCONNEXA_CLOUD_ID", "other-tenant");
    assert_eq!(shell(&world, &[], print).succeeds(), "none\n");

    let text = world.profile_text("prod").replacen(
        "base_url",
        "base_url = \"https://acme.api.openvpn.com\"\ntoken_url",
        1,
    );
    let endpoint = format!("{}/api/v1/oauth/token", world.sandbox.base_url());
    world.write_config(&text.replacen(world.sandbox.base_url(), &endpoint, 1));
    assert_eq!(shell(&world, &[], print).succeeds(), "acme\n");
}

#[test]
fn the_client_secret_is_given_only_where_it_is_asked_for() {
    let print = "echo \"${CLOUDCONNEXA_CLIENT_ID-none} ${CLOUDCONNEXA_CLIENT_SECRET-none}\" \
                 | sha256sum; env | grep -c SECRET";
    let of_file = world();
    let of_variables = World::new();
    for world in [&of_file, &of_variables] {
        let without = shell(world, &[], print);
        assert!(
            without.stdout.ends_with("\n0\n"),
            "no variable contains it, not even its source: {without:?}"
        );
        let with = shell(world, &["--with-credentials"], print);
        assert!(with.stdout.ends_with("\n1\n"), "{with:?}");
        let credential = world.sandbox.credential();
        let given = shell(
            world,
            &[],
            &format!(
                "echo '{} {}' | sha256sum",
                credential.client_id, credential.client_secret
            ),
        );
        assert_eq!(with.stdout.lines().next(), given.stdout.lines().next());
    }
}

#[test]
fn the_variable_that_the_profile_has_its_secret_from_is_not_handed_on() {
    let world = crate::sources::world_with("env = \"LAB_SECRET\"");
    world.set("LAB_SECRET", &world.sandbox.credential().client_secret);
    let seen = shell(&world, &[], "echo \"${LAB_SECRET-none}\"").succeeds();
    assert_eq!(seen, "none\n");
    let flags = ["--env", "LAB_SECRET=at {base_url}"];
    let seen = shell(&world, &flags, "echo \"$LAB_SECRET\"").succeeds();
    let expected = format!("at {}\n", world.sandbox.base_url());
    assert_eq!(seen, expected, "but the requested variables are set");
}

#[test]
fn any_variable_can_be_made_of_what_is_known() {
    let world = world();
    let printed = shell(
        &world,
        &[
            "--env",
            "TF_VAR_token={token}",
            "--env",
            "H={{{header}}}",
            "--env=UNTIL={expires_at}",
            "--env",
            "A=b=c",
        ],
        "echo $TF_VAR_token; echo \"$H\"; echo $UNTIL | wc -c; echo $A",
    );
    let token = world.token();
    let expected = format!("{token}\n{{Authorization: Bearer {token}}}\n21\nb=c\n");
    assert_eq!(printed.succeeds(), expected);
}

#[test]
fn a_template_that_cannot_be_filled_starts_nothing_and_asks_nobody() {
    let world = world();
    for (template, told) in [
        ("A={tokn}", "did you mean `{token}`?"),
        ("A={token", "a brace stands alone"),
        ("{token}", "not NAME=TEMPLATE"),
        ("A={\"key\":\"s3cret\"}", "write `{{` for a brace"),
    ] {
        let stderr = shell(&world, &["--env", template], "echo started").fails(2);
        assert!(stderr.contains(told), "{stderr}");
        assert!(!stderr.contains("s3cret"), "a template may hold a secret");
    }
    let stderr = shell(&world, &["--env", "A={cloud_id}"], "echo started").fails(3);
    assert!(stderr.contains("has no `{cloud_id}`"), "{stderr}");
    assert_eq!(world.sandbox.token_requests(), 0);
}

#[test]
fn its_exit_code_is_the_commands() {
    let world = world();
    for code in [0, 1, 4, 42, 255] {
        let outcome = shell(&world, &[], &format!("exit {code}"));
        assert_eq!(outcome.code, Some(code));
    }
}

#[test]
fn the_process_is_the_command_and_no_parent_of_it() {
    let world = world();
    world.token();
    let running = world
        .run(["exec", "--", "/bin/sh", "-c", "echo $$; kill -TERM $$"])
        .start();
    let id = running.id();
    let (status, stdout) = running.status();
    assert_eq!(stdout, format!("{id}\n"), "the same process");
    assert_eq!(
        status.signal(),
        Some(15),
        "a signal that ends the command ends it too"
    );
}

#[test]
fn stdin_and_streams_are_the_commands() {
    let world = world();
    let outcome = world
        .run(["exec", "--", "/bin/sh", "-c", "cat; echo told >&2"])
        .stdin("typed\n")
        .outcome();
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        ("typed\n", "told\n")
    );
}

#[test]
fn descriptors_of_the_caller_go_through_and_none_of_ours_is_added() {
    let world = world();
    let listed = |start: &str| {
        let list = "/bin/sh -c 'ls /proc/$$/fd; true'";
        let script = format!("exec 7</dev/null; exec {start} {list}");
        world.run(["-c", &script]).through_shell().succeeds()
    };
    let without_us = listed("");
    assert!(without_us.contains("\n7\n"), "{without_us}");
    assert_eq!(
        listed("\"$0\" exec --"),
        without_us,
        "no lock, no socket, no cache file"
    );
}

#[test]
fn a_closed_pipe_ends_the_command_as_it_would_without_us() {
    let world = world();
    let script = "(\"$0\" exec -- yes; echo $? >&2) 2>code | head -1 >/dev/null; cat code";
    let printed = world.run(["-c", script]).through_shell().outcome();
    assert_eq!(
        printed.stdout.trim(),
        "141",
        "SIGPIPE is not ignored: {printed:?}"
    );
}

#[test]
fn what_cannot_be_started_is_126_and_what_is_not_there_127() {
    let world = world();
    let stderr = world.run(["exec", "--", "no-such-program"]).fails(127);
    assert!(
        stderr.contains("`no-such-program` could not be started"),
        "{stderr}"
    );
    let folder = world.home().to_str().unwrap().to_owned();
    world.run(["exec", "--", &folder]).fails(126);
}

#[test]
fn flags_behind_the_command_are_the_commands() {
    let world = world();
    let printed = world
        .run([
            "exec",
            "--profile",
            "prod",
            "echo",
            "--profile",
            "x",
            "--",
            "-v",
        ])
        .succeeds();
    assert_eq!(printed, "--profile x -- -v\n");
    for arguments in [&["exec"][..], &["exec", "--"]] {
        let stderr = world.run_all(arguments).fails(2);
        assert!(stderr.contains("`exec` needs a COMMAND"), "{stderr}");
    }
}

#[test]
fn without_a_token_nothing_is_started() {
    let world = world();
    world.sandbox.enable_api(false);
    let outcome = shell(&world, &[], "echo started");
    outcome.fails(4);
}

#[test]
fn a_command_that_calls_back_is_given_the_same_profile() {
    let world = world();
    let second = world.profile_text("second");
    world.write_config(&format!(
        "default_profile = \"second\"\n{}{second}",
        world.profile_text("prod")
    ));
    let script =
        "echo $CLOUDCONNEXA_PROFILE; \"$0\" token --json | grep -o '\"profile\":\"[a-z]*\"'";
    let arguments = [
        "exec",
        "--profile",
        "prod",
        "--",
        "/bin/sh",
        "-c",
        script,
        crate::harness::PROGRAM,
    ];
    let printed = world.run(arguments).succeeds();
    assert_eq!(printed, "prod\n\"profile\":\"prod\"\n");
}

/// Starts the program under test with variables that are in its environment twice. A shell cannot
/// do that, so it calls execve itself.
const DUPLICATES: &str = r#"
import ctypes, os, sys
variables = ["%s=%s" % it for it in os.environ.items()]
variables = ["CLOUDCONNEXA_TOKEN=first", "CLOUDCONNEXA_CLIENT_SECRET=first-secret", "X=first"] + variables
variables += ["CLOUDCONNEXA_TOKEN=last", "CLOUDCONNEXA_CLIENT_SECRET=last-secret", "X=last"]
def array(texts):
    texts = [text.encode() for text in texts]
    return (ctypes.c_char_p * (len(texts) + 1))(*texts, None)
program = sys.argv[1]
ctypes.CDLL(None).execve(program.encode(), array(sys.argv[1:]), array(variables))
"#;

/// The environment of the command of `exec` after the program was started with duplicates.
fn environment_after_duplicates(world: &World, flags: &str) -> Vec<String> {
    std::fs::write(world.path("twice.py"), DUPLICATES).unwrap();
    let script = format!(
        "exec python3 twice.py \"$0\" exec --profile prod {flags} -- \
         sh -c 'grep -za ^CLOUDCONNEXA_TOKEN= /proc/$$/environ
                grep -zav ^CLOUDCONNEXA_TOKEN= /proc/$$/environ > others.secret'"
    );
    let tokens = world.run(["-c", &script]).through_shell().succeeds();
    let others = std::fs::read_to_string(world.path("others.secret")).unwrap();
    let all = tokens + &others;
    all.split('\0').map(str::to_owned).collect()
}

#[test]
fn a_variable_that_is_there_twice_is_there_once_and_is_ours() {
    let world = world();
    let token = world.token();
    let secret = world.sandbox.credential().client_secret;
    let of = |variables: &[String], name: &str| {
        let begin = format!("{name}=");
        let found = variables.iter().filter_map(|it| it.strip_prefix(&begin));
        found.map(str::to_owned).collect::<Vec<_>>()
    };

    let variables = environment_after_duplicates(&world, "--env X=ours");
    assert_eq!(of(&variables, "CLOUDCONNEXA_TOKEN"), [token]);
    assert_eq!(of(&variables, "X"), ["ours"]);
    let left = of(&variables, "CLOUDCONNEXA_CLIENT_SECRET");
    assert!(left.is_empty(), "neither the first nor the last");

    let variables = environment_after_duplicates(&world, "--with-credentials");
    assert_eq!(of(&variables, "CLOUDCONNEXA_CLIENT_SECRET"), [secret]);
}

#[test]
fn signals_that_the_caller_ignores_stay_ignored() {
    let world = world();
    let ignored = |start: &str| {
        let script = format!("trap '' HUP INT USR1; exec {start} grep SigIgn /proc/self/status");
        let printed = world.run(["-c", &script]).through_shell().succeeds();
        let (_, mask) = printed.trim_end().split_once('\t').unwrap();
        // The C library reserves the signals from 32 on.
        u64::from_str_radix(mask, 16).unwrap() & 0x7fff_ffff
    };
    assert_eq!(ignored(""), 0x203, "HUP, INT and USR1");
    assert_eq!(ignored("\"$0\" exec --"), 0x203, "as `nohup` needs it");
}

#[test]
fn a_long_run_is_given_a_token_that_lasts() {
    let world = world();
    let first = world.token();
    world.advance(Duration::from_secs(2 * 3600));
    let print = "echo $CLOUDCONNEXA_TOKEN";

    let short = shell(&world, &["--min-ttl", "9h"], print).succeeds();
    assert_eq!(short.trim_end(), first, "ten hours are left");
    let long = shell(&world, &["--min-ttl", "11h"], print).succeeds();
    assert_ne!(long.trim_end(), first);
    assert_eq!(world.sandbox.token_requests(), 2);

    let stderr = shell(&world, &["--min-ttl", "13h"], "echo started").fails(3);
    assert!(stderr.contains("lasts longer than"), "{stderr}");
}

#[test]
fn a_command_that_calls_back_reads_the_same_configuration_from_wherever_it_is() {
    let world = world();
    std::fs::rename(world.config(), world.config_folder().join("other.toml")).unwrap();
    let script = "cd / && exec \"$0\" list";
    let printed = world
        .run([
            "exec",
            "--config",
            "home/config/cloudconnexa-auth/other.toml",
            "--",
            "/bin/sh",
            "-c",
            script,
            crate::harness::PROGRAM,
        ])
        .succeeds();
    assert!(printed.contains("\"prod\""), "{printed}");
}

#[test]
fn with_the_profile_of_the_variables_no_other_is_called_back() {
    let world = World::new();
    world.write_config(&world.profile_text("prod"));
    world.set("CLOUDCONNEXA_PROFILE", "prod");
    let print = "echo ${CLOUDCONNEXA_PROFILE-none}";
    assert_eq!(
        shell(&world, &["--profile", "env"], print).succeeds(),
        "none\n"
    );
}
