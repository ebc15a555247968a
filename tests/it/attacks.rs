//! Attacks that worked on other programs of this kind, tried on this one. docs/cves.md lists them;
//! if another file tests an attack, its row there names that test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use cloudconnexa_sandbox::{Fault, Sandbox};
use serde_json::json;

use crate::clients::{machine_path, write_program};
use crate::docker_helpers::install_helper;
use crate::harness::{Outcome, Run, World};
use crate::hosts::acme;

const MINE: &str = "acme.api.openvpn.com";

/// The input with which each protocol asks for a credential for `host`. A protocol is left out if
/// its framing ends at a byte of `host`, because then the tool cannot send it.
fn asked_for<'a>(world: &'a World, host: &str) -> Vec<(&'static str, Run<'a>)> {
    let uri = format!("https://{host}/");
    let cluster = json!({
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "spec": { "cluster": { "server": uri }, "interactive": false },
    });
    let registry = json!({
        "v": 1, "kind": "get", "operation": "read",
        "registry": { "index-url": format!("sparse+{uri}") },
    });
    let mut asked = vec![
        (
            "git",
            world
                .run(["git", "get"])
                .stdin(format!("protocol=https\nhost={host}\n\n")),
        ),
        (
            "git, with a path",
            world
                .run(["git", "get"])
                .stdin(format!("protocol=https\nhost={host}\npath=a/{host}\n\n")),
        ),
        (
            "get",
            world.run(["get"]).stdin(json!({ "uri": uri }).to_string()),
        ),
        ("docker", world.run(["docker", "get"]).stdin(host)),
        (
            "docker, with a scheme",
            world.run(["docker", "get"]).stdin(uri.as_str()),
        ),
        (
            "cargo",
            world.run(["--cargo-plugin"]).stdin(format!("{registry}\n")),
        ),
        (
            "kubectl",
            world
                .run(["kubectl"])
                .set("KUBERNETES_EXEC_INFO", &cluster.to_string()),
        ),
    ];
    // Neither an argument nor a variable can contain a NUL.
    if !host.contains('\0') {
        asked.extend([
            ("terraform", world.run(["terraform", "get", host])),
            (
                "go",
                world
                    .run(["go", &uri])
                    .stdin("HTTP/1.1 401 Unauthorized\r\n\r\n"),
            ),
            (
                "cargo:token-from-stdout",
                world.run(["cargo"]).set("CARGO_REGISTRY_INDEX_URL", &uri),
            ),
            ("token --for", world.run(["token", "--for", &uri])),
            ("header --for", world.run(["header", "--for", &uri])),
        ]);
    }
    asked
}

/// Fails if a protocol gives the token to `host`.
#[track_caller]
fn is_nobodys(world: &World, host: &str) {
    for (protocol, run) in asked_for(world, host) {
        let Outcome { stdout, .. } = run.outcome();
        for (_, entry) in world.entries() {
            let token = entry["token"]["access_token"].as_str().unwrap_or_default();
            let is_given = !token.is_empty() && stdout.contains(token);
            assert!(!is_given, "{protocol} answers for {host:?}");
        }
    }
}

/// CVE-2020-5260, CVE-2024-52006, CVE-2024-50338, CVE-2024-53263, CVE-2025-23040: the reader ended
/// a line at another byte than the writer, and took the rest for another host.
#[test]
fn what_ends_a_line_somewhere_brings_no_second_host() {
    let world = acme();
    world.token();
    let ends = [
        "\n", "\r", "\r\n", "\n\r", "\0", "\x0b", "\x0c", "\u{85}", "\u{2028}", "\u{2029}", "%0a",
        "%0d", "%0d%0a", "%00", "%0A", "\\n", "\\r",
    ];
    for end in ends {
        for key in ["host=", "url=https://", "protocol=https\nhost=", ""] {
            is_nobodys(&world, &format!("evil.test{end}{key}{MINE}"));
            is_nobodys(&world, &format!("{MINE}{end}{key}evil.test"));
            is_nobodys(&world, &format!("evil.test/{end}{key}{MINE}"));
        }
    }
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "and no further request is sent"
    );
}

/// The attack asks for a host that must not get a token; the helper must still answer for the right
/// host.
#[test]
fn what_the_attacks_are_made_of_is_answered_for_our_own_host() {
    let world = acme();
    let token = world.token();
    for (protocol, run) in asked_for(&world, MINE) {
        let Outcome { stdout, .. } = run.outcome();
        // The tool reported that the token was refused, and got a new one.
        let now = world.token();
        let is_given = stdout.contains(&token) || stdout.contains(&now);
        assert!(is_given, "{protocol} says {stdout:?}");
    }
}

/// CVE-2020-11008: a request without a host or a protocol was answered with an arbitrary
/// credential.
#[test]
fn a_request_that_names_no_server_is_nobodys() {
    let world = World::new();
    world.token();
    let host = world
        .sandbox
        .base_url()
        .trim_start_matches("https://")
        .to_owned();
    for stdin in [
        String::new(),
        "\n".to_owned(),
        "protocol=https\n".to_owned(),
        "protocol=https\nhost=\n".to_owned(),
        "host=\n".to_owned(),
        format!("host={host}\n"),
        format!("protocol=\nhost={host}\n"),
        format!("protocol=https\n\nhost={host}\n"),
        format!("protocol=https\npath={host}\n"),
        format!("protocol=https\nhost=\npath=/{host}/\n"),
        format!("protocol=https://{host}/?\nhost=\n"),
        format!("protocol=https\nhost=/{host}\n"),
        "url=https:///\n".to_owned(),
    ] {
        let answer = world.run(["git", "get"]).stdin(stdin.clone()).outcome();
        assert_eq!(answer.stdout, "", "{stdin:?}");
        let answer = world.run(["docker", "get"]).stdin(stdin.clone()).outcome();
        assert!(!answer.stdout.contains("Secret"), "{stdin:?}");
    }
    for uri in [
        "",
        "https:",
        "https://",
        "https:///",
        "//",
        "/",
        "https://:443/",
    ] {
        is_nobodys(&world, uri.trim_start_matches("https://"));
        let answer = world.run(["get"]).stdin(json!({ "uri": uri }).to_string());
        assert_eq!(answer.succeeds(), "{\"headers\":{}}\n", "{uri:?}");
    }
}

/// CVE-2024-53858 (gh) and the helper of GitHub Codespaces: a token of the environment was offered
/// to every host that a submodule named.
#[test]
fn the_credentials_of_the_environment_are_for_their_own_host() {
    let world = World::new();
    let token = world.token();
    for name in ["CODESPACES", "CI", "GITHUB_ACTIONS"] {
        world.set(name, "true");
    }
    let authority = world
        .sandbox
        .base_url()
        .trim_start_matches("https://")
        .to_owned();
    let port = authority.rsplit_once(':').unwrap().1;
    for host in [
        "evil.test".to_owned(),
        format!("evil.test:{port}"),
        format!("127.0.0.1.evil.test:{port}"),
        format!("{authority}.evil.test"),
        format!("{authority}@evil.test"),
        format!("{authority}:@evil.test"),
        format!("evil.test#{authority}"),
        format!("evil.test\\@{authority}"),
        "acme.api.openvpn.com".to_owned(),
        "github.com".to_owned(),
        "localhost".to_owned(),
        format!("0:{port}"),
        format!("127.1:{port}"),
        format!("[::1]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        "127.0.0.1".to_owned(),
    ] {
        is_nobodys(&world, &host);
    }
    // go asks before it knows the host; the answer lists the hosts it is valid for
    // (CVE-2024-45340).
    let answer = world.run(["go"]).succeeds();
    let hosts: Vec<&str> = answer.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(hosts, [world.sandbox.base_url()]);
    assert!(answer.contains(&token));
}

/// CVE-2021-41092: if its helper could not be started, docker sent other stored credentials to the
/// registry.
#[test]
fn a_keychain_that_cannot_be_run_is_the_end_and_no_other_source_is_tried() {
    let world = World::without_profile(Sandbox::builder());
    let credential = world.sandbox.credential();
    world.write_config(&format!(
        "[profiles.prod]\nbase_url = \"{}\"\nclient_id = \"{}\"\nclient_secret = {{ docker_helper = \
         \"gone\" }}\n",
        world.sandbox.base_url(),
        credential.client_id
    ));
    // Other credentials that could be used instead, correctly or not.
    world.write_secret("prod.secret", &credential.client_secret);
    world.set("CLOUDCONNEXA_CLIENT_SECRET", &credential.client_secret);
    world.set("PROD_CLIENT_SECRET", &credential.client_secret);

    world.run(["token", "--profile", "prod"]).fails(3);
    let path = install_helper(&world, "gone", "exit 1");
    let helper = world.path("bin/docker-credential-gone");
    fs::set_permissions(helper, fs::Permissions::from_mode(0o644)).unwrap();
    world
        .run(["token", "--profile", "prod"])
        .set("PATH", &path)
        .fails(3);

    assert!(world.sandbox.requests().is_empty(), "no request is sent");
}

/// CVE-2020-26233 (Git Credential Manager), CVE-2020-27955 and CVE-2021-21237 (git-lfs),
/// CVE-2019-15752 (docker): a program was started from a directory with the content of a hostile
/// repository.
#[test]
fn no_program_is_taken_from_the_folder_that_one_stands_in() {
    let world = World::without_profile(Sandbox::builder());
    let credential = world.sandbox.credential();
    let profile = |name: &str, source: &str| {
        format!(
            "[profiles.{name}]\nbase_url = \"{}\"\nclient_id = \"{}\"\nclient_secret = {source}\n",
            world.sandbox.base_url(),
            credential.client_id
        )
    };
    let text = world.profile_text("prod")
        + &profile("keychain", "{ docker_helper = \"planted\" }")
        + &profile("command", "{ command = [\"planted-command\"] }");
    world.write_config(&text);
    // Every process of a test starts in this directory.
    let planted = format!("#!/bin/sh\necho run >> '{}'\n", world.path("run").display());
    for name in [
        "curl",
        "docker-credential-planted",
        "docker-credential-secretservice",
        "docker-credential-pass",
        "planted-command",
        "git",
        "sh",
        "cloudconnexa-auth",
    ] {
        write_program(&world.path(name), &planted);
    }
    world.set("PATH", &machine_path());

    world
        .run(["curl", "/api/v1/networks", "-sS", "--profile", "prod"])
        .outcome();
    world
        .run(["--profile", "prod", "curl", "/api/v1/networks", "-sS"])
        .outcome();
    world
        .run(["token", "--no-cache", "--profile", "keychain"])
        .fails(3);
    world
        .run(["token", "--no-cache", "--profile", "command"])
        .fails(3);
    world
        .run(["exec", "--profile", "prod", "--", "planted-command"])
        .outcome();
    world.run(["doctor", "--profile", "prod"]).outcome();
    world
        .run(["setup", "git", "--profile", "prod"])
        .copied()
        .outcome();
    world.run(["status"]).outcome();

    assert!(!world.path("run").exists(), "a planted program was started");
}

/// CVE-2022-24765: git read its configuration from a directory of another user.
#[test]
fn a_repository_configures_nothing() {
    let world = World::new();
    let trap = World::new();
    let secret = trap.sandbox.credential().client_secret;
    let evil = format!(
        "default_profile = \"evil\"\n[profiles.evil]\nbase_url = \"{}\"\nclient_id = \"{}\"\n\
         client_secret = {{ command = [\"touch\", \"{}\"] }}\n",
        trap.sandbox.base_url(),
        trap.sandbox.credential().client_id,
        world.path("run").display()
    );
    let variables = format!(
        "CLOUDCONNEXA_BASE_URL={}\nCLOUDCONNEXA_PROFILE=evil\nCLOUDCONNEXA_CLIENT_SECRET={secret}\n",
        trap.sandbox.base_url()
    );
    for (name, text) in [
        ("config.toml", &evil),
        ("cloudconnexa-auth.toml", &evil),
        (".cloudconnexa-auth.toml", &evil),
        ("cloudconnexa-auth/config.toml", &evil),
        (".cloudconnexa-auth/config.toml", &evil),
        (".config/cloudconnexa-auth/config.toml", &evil),
        (".env", &variables),
        (".envrc", &variables),
    ] {
        let path = world.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    world.run(["token"]).succeeds();
    for (name, value) in [("XDG_CONFIG_HOME", "."), ("XDG_CONFIG_HOME", ".config")] {
        // A relative directory would be in the repository.
        world.run(["token"]).set(name, value).succeeds();
        let listed = world.run(["list"]).set(name, value).succeeds();
        assert!(!listed.contains("evil"), "{listed}");
    }
    world
        .run(["token"])
        .unset("XDG_CONFIG_HOME")
        .unset("HOME")
        .set(
            "CLOUDCONNEXA_AUTH_CACHE_DIR",
            world.cache().to_str().unwrap(),
        )
        .succeeds();

    assert!(
        trap.sandbox.requests().is_empty(),
        "no request is sent there"
    );
    assert!(
        !world.path("run").exists(),
        "none of its commands was started"
    );
    assert_eq!(world.sandbox.token_requests(), 1);
}

/// CVE-2017-1000117 and CVE-2018-17456 (git), CVE-2024-52308 (gh), CVE-2024-3817 (go-getter, used
/// by terraform): a host or a name that began with a dash became an option of the next program.
#[test]
fn a_value_that_looks_like_an_option_is_none() {
    let world = acme();
    world.token();
    for host in [
        "-oProxyCommand=touch run",
        "--upload-pack=touch run",
        "-K/etc/passwd",
        "--config=/etc/passwd",
        "-",
        "--",
        "--profile=acme",
    ] {
        is_nobodys(&world, host);
    }
    let world = World::without_profile(Sandbox::builder());
    for name in ["-x", "--version", "../x", "a/b", "a b", "", ".", "x;id"] {
        world.write_config(&format!(
            "[profiles.prod]\ncloud_id = \"acme\"\nclient_id = \"i.acme\"\nclient_secret = {{ \
             docker_helper = {name:?} }}\n"
        ));
        world.run(["token"]).fails(3);
    }
    for (key, value) in [
        ("cloud_id", "-oProxyCommand=x"),
        ("cloud_id", "a/../b"),
        ("cloud_id", "a.evil.test/"),
        ("cloud_id", "a@evil.test"),
        ("base_url", "--config"),
        ("base_url", "https://-acme -o x"),
    ] {
        world.write_config(&format!(
            "[profiles.prod]\n{key} = {value:?}\nclient_id = \"i\"\nclient_secret = {{ env = \"X\" }}\n"
        ));
        world
            .run(["token"])
            .set("X", "canary-of-this-test")
            .fails(3);
    }
}

/// If variables in a configuration of a repository are expanded (`${…}` in files of npm and yarn),
/// its author gets the environment. This program expands nothing.
#[test]
fn nothing_is_expanded_that_was_sent_or_configured() {
    let world = acme();
    let token = world.token();
    let ran = world.path("run");
    for text in [
        "${CLOUDCONNEXA_CLIENT_SECRET}".to_owned(),
        "$CLOUDCONNEXA_CLIENT_SECRET".to_owned(),
        "{token}".to_owned(),
        "%CLOUDCONNEXA_CLIENT_SECRET%".to_owned(),
        format!("$(touch${{IFS}}{})", ran.display()),
        format!("`touch {}`", ran.display()),
        format!(";touch {};", ran.display()),
        "%s%n".to_owned(),
    ] {
        is_nobodys(&world, &format!("{text}.evil.test"));
        is_nobodys(&world, &format!("evil.test/{text}"));
        is_nobodys(&world, &format!("{MINE}{text}"));
        // The answer contains the user name unchanged.
        let stdin = format!("protocol=https\nhost={MINE}\nusername={text}\n");
        let answer = world.run(["git", "get"]).stdin(stdin).succeeds();
        let expected = format!("username={text}\npassword={token}\n");
        assert!(answer.starts_with(&expected), "{answer}");
    }

    let world = World::new();
    let literal = "${CLOUDCONNEXA_CLIENT_SECRET}$(id)";
    world.set("CLOUDCONNEXA_CLIENT_ID", literal);
    world.run(["token"]).fails(4);
    let asked = world.sandbox.requests();
    assert!(!asked.is_empty());
    for request in asked {
        assert_eq!(request.client_id.as_deref(), Some(literal));
    }
    assert!(!ran.exists());
}

/// CVE-2024-50349 (git), CVE-2021-25743 (kubectl): text of a server or a host name controlled the
/// terminal of the user who read the message.
#[test]
fn nothing_that_was_sent_drives_the_terminal() {
    let world = World::new();
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31m\u{9b}31m\r\u{8}\u{202e}fdp\u{200b}\u{0}x";
    let body = json!({ "error": hostile, "error_description": hostile }).to_string();
    let mut said = Vec::new();
    for code in [400, 401, 403, 404, 429, 500] {
        world.sandbox.always(Some(Fault::Status {
            code,
            headers: Vec::new(),
            body: body.clone().into_bytes(),
        }));
        for arguments in [
            &["token"][..],
            &["token", "-v"],
            &["token", "--refresh", "-v"],
        ] {
            said.push(
                world
                    .run_all(arguments)
                    .set("CLOUDCONNEXA_AUTH_LOG", "debug")
                    .outcome(),
            );
        }
        said.push(world.run(["status"]).outcome());
        world
            .run(["erase"])
            .stdin("{\"profile\":\"env\"}")
            .succeeds();
    }
    world.sandbox.clear_faults();
    for text in [hostile, "x\u{1b}[2J", "\u{202e}"] {
        let text = text.replace('\0', "");
        said.push(world.run(["token", "--profile", &text]).outcome());
        said.push(world.run(["token", "--for", &text]).outcome());
        said.push(world.run(["exec", "--", &text]).outcome());
        said.push(world.run([&*text]).outcome());
    }
    assert!(said.len() > 20);
    for Outcome {
        arguments,
        stdout,
        stderr,
        ..
    } in said
    {
        let is_safe = |character: char| {
            character == '\n'
                || (!character.is_control() && !"\u{202e}\u{200b}".contains(character))
        };
        assert!(stderr.chars().all(is_safe), "{arguments:?}: {stderr:?}");
        assert!(stdout.chars().all(is_safe), "{arguments:?}: {stdout:?}");
    }
}

/// CVE-2026-3783, CVE-2024-11053 and CVE-2025-0167 (curl), CVE-2024-47081 (requests): a `.netrc`
/// replaced the credential, or the credential was sent to a host that a `.netrc` named.
#[test]
fn a_netrc_is_neither_read_nor_followed() {
    let world = World::without_profile(Sandbox::builder().no_rate_limit());
    world.write_config(&world.profile_text("prod"));
    let netrc = "machine 127.0.0.1 login mallory password a-password-of-netrc\n\
                 default login mallory password a-password-of-netrc\n";
    for path in [
        world.home().join(".netrc"),
        world.path(".netrc"),
        world.home().join("_netrc"),
    ] {
        crate::harness::write_private(&path, netrc);
    }
    world.set("NETRC", world.home().join(".netrc").to_str().unwrap());

    world.run(["token"]).succeeds();
    let answer = world
        .run(["curl", "/api/v1/networks", "-sS", "--fail"])
        .succeeds();

    assert!(answer.contains("office"), "with the token: {answer}");
    let credential = world.sandbox.credential();
    for request in world.sandbox.requests() {
        assert_eq!(
            request.client_id.as_deref(),
            Some(&*credential.client_id),
            "{request}"
        );
    }
    for option in ["--netrc", "--netrc-optional", "--netrc-file=x", "-n"] {
        world.run(["curl", "/api/v1/networks", option]).fails(2);
    }
}

/// CVE-2019-11244 (kubectl's cache) and CVE-2023-38497 (cargo): the umask alone decided who could
/// read the files.
#[test]
fn what_is_secret_is_private_whatever_the_umask() {
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777;
    for umask in ["000", "002", "022", "077"] {
        let world = World::new();
        let credential = world.sandbox.credential();
        let script = format!("umask {umask}; exec \"$0\" token");
        world.run(["-c", &script]).through_shell().succeeds();
        let script = format!("umask {umask}; exec \"$0\" store");
        let profile = json!({
            "profile": "kept",
            "base_url": world.sandbox.base_url(),
            "client_id": credential.client_id,
            "client_secret": credential.client_secret,
        });
        let store = world.run(["-c", &script]).through_shell();
        store.stdin(profile.to_string()).succeeds();

        assert_eq!(mode(&world.cache()), 0o700, "umask {umask}");
        let mut count = 0;
        for file in fs::read_dir(world.cache()).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600, "umask {umask}");
            count += 1;
        }
        assert!(count >= 2, "an entry and its lock file");
        let secret = world.config_folder().join("kept.secret");
        assert_eq!(mode(&secret), 0o600, "umask {umask}");
    }
}
