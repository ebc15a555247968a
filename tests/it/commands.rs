//! The subcommands for people and scripts, their flags, and the exit codes in the README.

use std::process::{Command, Stdio};
use std::time::Duration;

use cloudconnexa_sandbox::{Fault, Sandbox};
use serde_json::Value;

use crate::harness::{PROGRAM, World};

#[test]
fn token_prints_the_bare_token_and_a_newline() {
    let world = World::new();
    let printed = world.run(["token"]).succeeds();
    let token = printed.strip_suffix('\n').unwrap();
    assert!(!token.contains(char::is_whitespace), "{token:?}");
}

#[test]
fn token_json_tells_all_that_is_known() {
    let world = World::new();
    let token = world.token();
    let answer: Value = serde_json::from_str(&world.run(["token", "--json"]).succeeds()).unwrap();
    assert_eq!(answer["access_token"], token);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["scope"], "read write");
    assert_eq!(answer["profile"], "env");
    assert_eq!(answer["base_url"], world.sandbox.base_url());
    let left = answer["expires_in"].as_u64().unwrap();
    assert!((43_100..=43_199).contains(&left), "{left}");
}

#[test]
fn header_prints_the_line_and_for_curl_a_line_of_its_configuration() {
    let world = World::new();
    let token = world.token();
    assert_eq!(
        world.run(["header"]).succeeds(),
        format!("Authorization: Bearer {token}\n")
    );
    let line = world.run(["header", "--curl"]).succeeds();
    assert_eq!(
        line,
        format!("header = \"Authorization: Bearer {token}\"\n")
    );
}

#[test]
fn status_tells_what_is_known_and_asks_nobody() {
    let world = World::without_profile(Sandbox::builder());
    let text = world.profile_text("prod");
    world.write_config(&format!("{text}secret_expires = 2020-01-01\n"));
    let state = |what: &str| {
        let status = world.run(["status", "--json"]).succeeds();
        let status: Value = serde_json::from_str(&status).unwrap();
        status["profiles"][0][what].clone()
    };
    assert_eq!(state("token_state"), "none");
    assert_eq!(world.sandbox.requests().len(), 0);

    // It warns that the credential has expired, but the server still accepts it.
    world.run(["token"]).outcome().succeeds_with_stderr();
    assert_eq!(state("token_state"), "good");
    let page = world.run(["status"]).succeeds();
    for words in [
        "prod (default)",
        "good, 12h left",
        "prod.secret",
        "has expired",
    ] {
        assert!(page.contains(words), "{words:?} is not in\n{page}");
    }
    world.advance(Duration::from_secs(36_000));
    assert_eq!(state("token_state"), "aging");
    world.advance(Duration::from_secs(7_170));
    assert_eq!(state("token_state"), "stale");
    world.advance(Duration::from_secs(60));
    assert_eq!(state("token_state"), "expired");

    world.sandbox.enable_api(false);
    world.run(["token"]).fails(4);
    assert_eq!(state("cooldown")["reason"], "refused");
    let page = world.run(["status"]).succeeds();
    assert!(
        page.contains("cool-down") && page.contains("30s left"),
        "{page}"
    );
    assert_eq!(
        world.sandbox.requests().len(),
        2,
        "one for the token, one refused request"
    );
}

#[test]
fn status_says_what_would_fail_next() {
    let world = World::without_profile(Sandbox::builder());
    world.write_config(&world.profile_text("prod"));
    world.token();
    std::fs::remove_file(world.config_folder().join("prod.secret")).unwrap();
    let page = world.run(["status"]).succeeds();
    assert!(
        page.contains("the next token request will fail: the secret file"),
        "{page}"
    );
}

#[test]
fn status_of_nothing_says_how_to_begin() {
    let world = World::without_profile(Sandbox::builder());
    let stderr = world.run(["status"]).fails(3);
    assert!(stderr.contains("no profile is set up"), "{stderr}");
}

#[test]
fn a_client_id_of_another_tenant_is_explained_where_it_hurts() {
    let world = World::new();
    world.set("CLOUDCONNEXA_CLOUD_ID", "other");
    world.set("CLOUDCONNEXA_CLIENT_SECRET", "not-the-secret");
    let stderr = world.run(["token"]).fails(4);
    assert!(stderr.contains("but `cloud_id` is `other`"), "{stderr}");
    let page = world.run(["status"]).succeeds();
    assert!(page.contains("which is not `.other`"), "{page}");
}

/// The table in the README, code by code; `exchange` and `concurrency` test all cases of 4, 5, 6
/// and 7.
#[test]
fn every_exit_code_has_its_case() {
    let world = World::new();
    world.run(["token"]).succeeds();
    world.run(["tokn"]).fails(2);
    world.run(["get"]).stdin("no JSON").fails(2);
    world.run(["token", "--profile", "none"]).fails(3);
    world
        .run(["token", "--for", "https://example.com/"])
        .fails(3);
    world.sandbox.next(Fault::status(403));
    world.run(["token", "--refresh"]).fails(4);
    let headers = vec![("Retry-After".to_owned(), "60".to_owned())];
    world.sandbox.next(Fault::Status {
        code: 429,
        headers,
        body: Vec::new(),
    });
    let stderr = world.run(["token", "--refresh"]).fails(5);
    assert!(
        stderr.contains("it asks to wait 1m"),
        "the message contains the time: {stderr}"
    );
    world.sandbox.next(Fault::Body("<html>".to_owned()));
    world.run(["token", "--refresh"]).fails(6);
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_an_unexpected_failure() {
    let world = World::new();
    world.token();
    let run = world.run(["-c", "exec \"$0\" token > /dev/full"]);
    let stderr = run.through_shell().fails(1);
    assert!(
        stderr.contains("could not be written to stdout"),
        "{stderr}"
    );
    assert!(stderr.contains("No space left"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_went_away_is_no_crash() {
    let world = World::new();
    world.token();
    let run = world.run(["-c", "\"$0\" token | true; \"$0\" --help | true"]);
    assert_eq!(run.through_shell().succeeds(), "");
}

#[test]
fn every_command_has_a_help_page_with_an_example() {
    let world = World::new();
    let page = world.run(["--help"]).succeeds();
    for verb in [
        "token", "header", "get", "store", "erase", "list", "status", "version",
    ] {
        assert!(
            page.contains(&format!("\n  {verb}")),
            "{verb} is not in\n{page}"
        );
        let own = world.run([verb, "--help"]).succeeds();
        assert!(
            own.contains("Usage: cloudconnexa-auth ") && own.contains("Examples:"),
            "{own}"
        );
        assert_eq!(world.run(["help", verb]).succeeds(), own);
    }
    assert!(page.contains("Exit codes:"), "{page}");
    assert!(!page.contains("secret NAME"), "{page}");
}

#[test]
fn help_offers_only_flags_that_have_an_effect() {
    let world = World::new();
    for (subcommand, offered, absent) in [
        (
            "token",
            &["--refresh", "--min-ttl", "--no-cache"][..],
            &["--yes"][..],
        ),
        ("doctor", &["--refresh", "--min-ttl"], &[]),
        ("git", &["--refresh", "--profile"], &["--json"]),
        (
            "login",
            &["--profile", "--timeout"],
            &["--refresh", "--min-ttl"],
        ),
        (
            "logout",
            &["--profile"],
            &["--refresh", "--min-ttl", "--no-cache"],
        ),
        (
            "version",
            &["--help"],
            &["--profile", "--config", "--timeout", "--verbose"],
        ),
        (
            "completions",
            &["--help"],
            &["--profile", "--config", "--refresh"],
        ),
    ] {
        let help = world.run([subcommand, "--help"]).succeeds();
        let man = world
            .run(["man", subcommand])
            .succeeds()
            .replace("\\-", "-");
        let man = man.split(".SH EXIT STATUS").next().unwrap().to_owned();
        let bash = world.run(["completions", "bash"]).succeeds();
        let start = format!("\n    {subcommand}) words='--");
        let completed = bash.split(&start).nth(1).unwrap().lines().next().unwrap();
        let completed = format!("--{completed}");
        for text in [&help, &man, &completed] {
            for flag in offered {
                assert!(
                    text.contains(flag),
                    "{subcommand}: {flag} is not in\n{text}"
                );
            }
            for flag in absent {
                assert!(!text.contains(flag), "{subcommand}: {flag} is in\n{text}");
            }
        }
    }
    // Scripts may pass the common flags to any subcommand.
    world
        .run(["version", "--profile", "prod", "--refresh"])
        .succeeds();
}

#[test]
fn nothing_is_read_from_stdin_but_where_the_protocol_sends_something() {
    let world = World::new();
    world.token();
    // stdin stays open and empty, as pnpm leaves it; a process that reads it would block forever.
    let mut child = Command::new(PROGRAM)
        .arg("token")
        .env_clear()
        .env("XDG_CACHE_HOME", world.home().join("cache"))
        .env("CLOUDCONNEXA_BASE_URL", world.sandbox.base_url())
        .env(
            "CLOUDCONNEXA_CLIENT_ID",
            world.sandbox.credential().client_id,
        )
        .env(
            "CLOUDCONNEXA_CLIENT_SECRET",
            world.sandbox.credential().client_secret,
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take();
    assert!(child.wait().unwrap().success());
    drop(stdin);
}

#[test]
fn usage_errors_say_what_to_type() {
    let world = World::new();
    for (arguments, says) in [
        (&[][..], "no command is given"),
        (&["tokn"], "did you mean `token`?"),
        (&["token", "--profil", "x"], "did you mean `--profile`?"),
        (&["token", "--min-ttl", "5"], "`5` is not a duration"),
        (&["token", "--min-ttl", "90"], "did you mean `90s`?"),
        (&["token", "--timeout", "1"], "did you mean `1s`?"),
        (
            &["token", "--timeout"],
            "`--timeout` needs a value: DURATION",
        ),
        (&["get", "--json"], "`get` has no flag `--json`"),
        (&["token", "extra"], "takes no further argument"),
        (
            &["store", "--client-secret", "x"],
            "other users can read the command line",
        ),
        (&["token", "--refresh", "--no-cache"], "exclude each other"),
    ] {
        let stderr = world.run_all(arguments).fails(2);
        assert!(
            stderr.contains(says),
            "{arguments:?}: {says:?} is not in\n{stderr}"
        );
    }
}
