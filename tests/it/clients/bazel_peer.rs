//! Bazel's helper protocol, compared with another implementation: uv's `auth helper`. Bazel itself
//! cannot be installed here, but the way it parses a date is known.

use std::path::Path;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clients::integration_files::{bash, patient, recipe};
use crate::clients::{
    Ended, configure, find, found_or_skipped, links, run, run_with_stdin, tool, trust, world,
};
use crate::harness::World;
use crate::helper::validate;

/// The answer of uv for a host that it has a token for.
fn uv(world: &World, request: &str) -> Ended {
    let mut uv = patient(world, tool("uv"));
    uv.args(["--preview-features", "auth-helper", "--no-config"]);
    uv.args(["auth", "helper", "--protocol", "bazel", "get"]);
    run_with_stdin(world, &mut uv, request)
}

fn ours(world: &World, request: &str) -> Ended {
    run_with_stdin(
        world,
        patient(world, "cloudconnexa-auth").arg("get"),
        request,
    )
}

/// A world in which both programs have a credential for the sandbox's host.
fn both() -> World {
    let world = world();
    configure(&world, &[]);
    trust(&world, &[]);
    links(&world);
    let mut login = patient(&world, tool("uv"));
    login.args(["auth", "login", world.sandbox.base_url(), "--token", "-"]);
    run_with_stdin(&world, &mut login, "a-token-of-uv").succeeds();
    world
}

fn request(uri: &str) -> String {
    json!({ "uri": uri }).to_string()
}

#[test]
fn both_answer_for_their_host_in_the_same_form() {
    let world = both();
    let request = request(&format!("{}/api/v1/networks", world.sandbox.base_url()));

    let theirs = uv(&world, &request).succeeds();
    let ours = ours(&world, &request).succeeds();

    let ours = validate("get-response", &ours);
    let theirs: Value = serde_json::from_str(&theirs).unwrap();
    for answer in [&ours, &theirs] {
        let headers = answer["headers"].as_object().unwrap();
        let names: Vec<&String> = headers.keys().collect();
        assert_eq!(names, ["Authorization"], "{headers:?}");
        let values = headers["Authorization"].as_array().unwrap();
        assert!(values.len() == 1 && values[0].is_string(), "{values:?}");
    }
    let is_new = |name: &&String| theirs.get(name).is_none();
    let ours = ours.as_object().unwrap();
    let more: Vec<&String> = ours.keys().filter(is_new).collect();
    assert_eq!(more, ["expires"], "uv sends no expiry");
}

#[test]
fn both_answer_alike_for_a_host_that_is_not_theirs() {
    let world = both();
    let base_url = world.sandbox.base_url();
    let authority = base_url.strip_prefix("https://").unwrap();
    for uri in [
        "https://example.test/x".to_owned(),
        format!("http://{authority}/x"),
        format!("https://{authority}@evil.test/x"),
        "https://127.0.0.1/x".to_owned(),
        base_url.replace("127.0.0.1", "127.0.0.1.evil.test"),
    ] {
        let theirs = uv(&world, &request(&uri)).succeeds();
        let ours = ours(&world, &request(&uri)).succeeds();

        assert_eq!(validate("get-response", &theirs), json!({ "headers": {} }));
        assert_eq!(ours, theirs, "{uri}");
    }
    assert_eq!(world.sandbox.requests(), []);
}

#[test]
fn both_refuse_what_is_no_request() {
    let world = both();
    let base_url = world.sandbox.base_url();
    for request in [
        "",
        "{\"uri\":",
        "[]",
        "{}",
        "{\"uri\":5}",
        "{\"uri\":null}",
        &format!("{{\"uri\":\"{base_url}\",\"uri\":\"https://evil.test/\"}}"),
    ] {
        for ended in [uv(&world, request), ours(&world, request)] {
            assert_eq!(
                (ended.code, ended.stdout.as_str()),
                (Some(2), ""),
                "{request}: {}",
                ended.story()
            );
        }
    }
}

#[test]
fn the_line_of_bazelrc_names_what_answers_bazel() {
    let world = world();
    configure(&world, &["artifacts.acme.internal"]);
    trust(&world, &[]);
    let program = links(&world).join("cloudconnexa-auth");
    let program = program.to_str().unwrap();
    let replacements = [("/usr/local/bin/cloudconnexa-auth", program)];
    let line = recipe(&world, "bazel/.bazelrc", &replacements);
    let value = line.strip_prefix("common --credential_helper=").unwrap();
    let (host, helper) = value.trim_end().split_once('=').unwrap();

    // Bazel asks for each URL, for many in parallel; the subcommand is its only argument.
    let script = format!(
        "for name in {{a..h}}; do \
         printf '{{\"uri\":\"https://{host}/%s.jar\"}}' $name | '{helper}' get & done; wait"
    );
    let answers = bash(&world, &script).succeeds();

    assert_eq!(answers.lines().count(), 8);
    for answer in answers.lines() {
        let answer = validate("get-response", &format!("{answer}\n"));
        assert!(
            answer["expires"].is_string(),
            "{host} is a host of the profile"
        );
    }
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "one request for the whole build"
    );
}

#[test]
fn bazels_pattern_reads_the_expiry() {
    let Some(java) = found_or_skipped("java", find("java", |_| true)) else {
        return;
    };
    let world = both();
    let request = request(world.sandbox.base_url());
    let answer = ours(&world, &request).succeeds();
    let answer = validate("get-response", &answer);
    let expires = answer["expires"].as_str().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/java/Expires.java");

    let mut reader = patient(&world, java);
    let printed = run(&world, reader.arg(source).arg(expires)).succeeds();

    let seconds: i64 = printed.trim().parse().unwrap();
    let expected = OffsetDateTime::parse(expires, &Rfc3339).unwrap();
    assert_eq!(seconds, expected.unix_timestamp(), "{expires}");
}
