//! Two real OAuth servers that differ in the encoding of HTTP Basic. The table in
//! `tests/servers/README.md` shows which encodings each of them accepts.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cloudconnexa_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::harness::World;

const NASTY: &str = "sec:ret/+%&= ~";
pub(crate) const ORDINARY: &str = "s3cret-0123_abcDEF";
pub(crate) const CLIENT_ID: &str = "client";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Make {
    OidcProvider,
    Authlib,
}

/// A server. It ends with the test, because its stdin is closed then.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    fn start(make: Make, secret: &str) -> Self {
        Self::with_life(make, secret, 600)
    }

    fn with_life(make: Make, secret: &str, seconds: u32) -> Self {
        Self::with(make, secret, &[("TTL", &seconds.to_string())])
    }

    /// Starts it with additional variables, see `tests/servers/README.md`.
    pub(crate) fn with(make: Make, secret: &str, variables: &[(&str, &str)]) -> Self {
        let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers");
        let mut command = match make {
            Make::OidcProvider => {
                let mut node = Command::new("node");
                node.env("NODE_PATH", tool("oidc-provider/node_modules"))
                    .arg(servers.join("oidc-provider/server.mjs"));
                node
            }
            Make::Authlib => {
                let mut python = Command::new(tool("authlib/bin/python"));
                python.arg(servers.join("authlib/server.py"));
                python
            }
        };
        let mut child = command
            .env("CLIENT_ID", CLIENT_ID)
            .env("CLIENT_SECRET", secret)
            .env("PORT", "0")
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{make:?}: {error}; run the tests with `make test`"));
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let Some(url) = line.trim_end().strip_prefix("listening ") else {
            let mut told = String::new();
            child
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut told)
                .unwrap();
            panic!("{make:?} did not start, run the tests with `make test`: {told}");
        };
        let url = url.to_owned();
        Self { child, url }
    }

    /// A world whose profile `p` has this secret and uses this server.
    fn world(&self, secret: &str) -> World {
        let world = World::without_profile(Sandbox::builder());
        world.write_secret("p.secret", secret);
        self.configure(&world, "");
        world
    }

    fn configure(&self, world: &World, lines: &str) {
        world.write_config(&format!(
            "[profiles.p]\ntoken_url = \"{}\"\nclient_id = \"{CLIENT_ID}\"\n\
             client_secret = {{ file = \"p.secret\" }}\n{lines}\n",
            self.url
        ));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, and a panic here would hide the first one.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A program that `tests/setup.sh` has installed.
fn tool(name: &str) -> PathBuf {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools");
    let folder = std::env::var_os("TEST_TOOLS").map_or_else(usual, PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.exists(),
        "{} is missing, start the tests with `make test`",
        path.display()
    );
    path
}

/// Runs `token --json`, which must request a new token and succeed.
#[track_caller]
fn issued(world: &World) -> Value {
    let text = world.run(["token", "--json", "--refresh"]).succeeds();
    serde_json::from_str(&text).unwrap()
}

/// The result of an `auth_method`: `None` for a token, otherwise a part of the error message.
type Expected = (&'static str, Option<&'static str>);

/// Checks each `auth_method` against one server.
#[track_caller]
fn check(make: Make, secret: &str, expected: &[Expected]) {
    let server = Server::start(make, secret);
    let world = server.world(secret);
    for (method, refusal) in expected {
        server.configure(&world, &format!("auth_method = \"{method}\""));
        let outcome = world.run(["token", "--refresh"]).outcome();
        match refusal {
            None => assert_eq!(outcome.succeeds().lines().count(), 1, "{method}"),
            Some(says) => {
                let stderr = outcome.fails(4);
                assert!(
                    stderr.contains(says),
                    "{make:?}, {method}: {says:?} is not in\n{stderr}"
                );
            }
        }
    }
}

#[test]
fn oidc_provider_gives_tokens_for_a_secret_of_awkward_characters() {
    let expected = [
        ("auto", None),
        ("basic", None),
        ("body", None),
        ("basic-raw", Some("not properly encoded")),
        ("query", Some("no client authentication mechanism")),
        (
            "json",
            Some("refused the request of profile `p` (400 invalid_request)"),
        ),
    ];
    check(Make::OidcProvider, NASTY, &expected);
}

#[test]
fn oidc_provider_gives_tokens_for_an_ordinary_secret() {
    let expected = [
        ("auto", None),
        ("basic", None),
        ("body", None),
        ("basic-raw", None),
        ("query", Some("no client authentication mechanism")),
        ("json", Some("(400 invalid_request)")),
    ];
    check(Make::OidcProvider, ORDINARY, &expected);
}

#[test]
fn authlib_gives_tokens_for_a_secret_of_awkward_characters() {
    // `basic` works because a space is sent as %20: Authlib does not decode a plus sign.
    let expected = [
        ("auto", None),
        ("basic", None),
        ("body", None),
        ("basic-raw", None),
        ("query", Some("(401 invalid_client)")),
        ("json", Some("(400 unsupported_grant_type)")),
    ];
    check(Make::Authlib, NASTY, &expected);
}

#[test]
fn authlib_gives_tokens_for_an_ordinary_secret() {
    let expected = [
        ("auto", None),
        ("basic", None),
        ("body", None),
        ("basic-raw", None),
        ("query", Some("(401 invalid_client)")),
        ("json", Some("(400 unsupported_grant_type)")),
    ];
    check(Make::Authlib, ORDINARY, &expected);
}

#[test]
fn a_wrong_secret_or_client_is_refused_as_invalid_client() {
    for make in [Make::OidcProvider, Make::Authlib] {
        let server = Server::start(make, NASTY);
        let world = server.world("not the/secret+%41");
        for method in ["auto", "basic", "body"] {
            server.configure(&world, &format!("auth_method = \"{method}\""));
            let stderr = world.run(["token", "--refresh"]).fails(4);
            assert!(
                stderr.contains("refused the credentials of profile `p` (401 invalid_client)"),
                "{make:?}, {method}: the more specific of two refusals: {stderr}"
            );
        }

        world.write_secret("p.secret", NASTY);
        let token = issued(&world);
        assert_eq!(token["profile"], "p", "{make:?}: the correct form, at once");

        let another = format!("token_url = \"{}\"\nclient_id = \"nobody\"", server.url);
        let secret = "client_secret = { file = \"p.secret\" }";
        world.write_config(&format!("[profiles.p]\n{another}\n{secret}\n"));
        let stderr = world.run(["token"]).fails(4);
        assert!(stderr.contains("invalid_client)"), "{make:?}: {stderr}");
    }
}

#[test]
fn the_scope_of_the_profile_is_asked_for_and_told() {
    for make in [Make::OidcProvider, Make::Authlib] {
        let server = Server::start(make, NASTY);
        let world = server.world(NASTY);
        for method in ["basic", "body"] {
            let method = format!("auth_method = \"{method}\"");
            server.configure(&world, &format!("scope = \"read\"\n{method}"));
            assert_eq!(issued(&world)["scope"], "read", "{make:?}, {method}");
            server.configure(&world, &format!("scope = \"read write\"\n{method}"));
            assert_eq!(issued(&world)["scope"], "read write", "{make:?}");
            server.configure(&world, &method);
            let scope = &issued(&world)["scope"];
            assert!(
                scope.is_null() || scope == "",
                "{make:?}, no scope: {scope}"
            );
        }
    }
}

#[test]
fn a_life_shorter_than_the_usual_margin_is_of_use() {
    for make in [Make::OidcProvider, Make::Authlib] {
        let server = Server::with_life(make, NASTY, 30);
        let world = server.world(NASTY);
        let token = issued(&world);
        let left = token["expires_in"].as_u64().unwrap();
        assert!((1..=30).contains(&left), "{make:?}: {token}");
        let again = world.run(["token"]).succeeds();
        assert_eq!(
            token["access_token"],
            again.trim_end(),
            "{make:?}: cached, because the margin depends on the lifetime"
        );

        let stderr = world.run(["token", "--min-ttl", "1m"]).fails(3);
        assert!(
            stderr.contains("no token of profile `p` lasts longer than the 1m asked for"),
            "{make:?}: {stderr}"
        );
    }
}

#[test]
fn a_life_of_two_seconds_is_long_enough_for_one_use() {
    for make in [Make::OidcProvider, Make::Authlib] {
        let server = Server::with_life(make, NASTY, 2);
        server.world(NASTY).token();
    }
}

#[test]
fn a_token_is_known_to_the_server_that_gave_it() {
    let server = Server::start(Make::OidcProvider, ORDINARY);
    let token = server.world(ORDINARY).token();
    let answer = ureq::post(format!("{}/introspection", server.url))
        .send_form([
            ("client_id", CLIENT_ID),
            ("client_secret", ORDINARY),
            ("token", &token),
        ])
        .unwrap();
    let body = answer.into_body().read_to_string().unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["active"], true, "{body}");
    assert_eq!(body["client_id"], json!(CLIENT_ID), "{body}");
}
