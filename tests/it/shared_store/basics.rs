//! Tests of the shared values and of the messages about the store.

use std::fs;
use std::time::Duration;

use cloudconnexa_sandbox::{CredentialSpec, Sandbox};

use super::{Fleet, PASSWORD, Server, hex};
use crate::harness::World;

#[test]
fn the_second_host_is_given_the_token_of_the_first() {
    let fleet = Fleet::new();

    let first = fleet.token(1);
    let second = fleet.token(2);

    assert_eq!(first, second);
    assert_eq!(fleet.world.sandbox.token_requests(), 1);
}

#[test]
fn who_reads_the_store_learns_neither_token_nor_client_id() {
    let fleet = Fleet::new();
    let token = fleet.token(1);
    let credential = fleet.world.sandbox.credential();

    let keys = fleet.server.keys();

    assert_eq!(keys.len(), 1, "a sealed token and no lease: {keys:?}");
    let value = fleet.server.hex(&keys[0]);
    let shown = format!("{keys:?} {value}");
    for known in [&token, &credential.client_id, &credential.client_secret] {
        assert!(
            !shown.contains(known.as_str()) && !shown.contains(&hex(known.as_bytes())),
            "{shown}"
        );
    }
    let left: u64 = fleet.server.cli(&["PTTL", &keys[0]]).parse().unwrap();
    assert!(
        (43_000_000..43_200_000).contains(&left),
        "the lifetime is that of the token: {left}"
    );
}

#[test]
fn a_warm_call_opens_no_connection() {
    let fleet = Fleet::new();
    fleet.token(1);
    let connections = || {
        let info = fleet.server.cli(&["INFO", "stats"]);
        let line = info
            .lines()
            .find(|line| line.starts_with("total_connections_received"));
        line.unwrap()
            .trim()
            .rsplit(':')
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let before = connections();
    fleet.token(1);
    fleet.token(1);
    assert_eq!(connections(), before + 1, "only the test's");
}

#[test]
fn without_a_cache_nothing_is_shared() {
    let fleet = Fleet::new();
    fleet.on(1, ["token", "--no-cache"]).succeeds();
    assert_eq!(fleet.server.keys(), Vec::<String>::new());
}

#[test]
fn a_file_says_all_that_there_is_to_say_of_a_store() {
    let server = Server::tls();
    let rights = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/integrations/shared-store/users.acl"
    );
    let rights = fs::read_to_string(rights).unwrap();
    let rights = rights
        .lines()
        .find(|line| line.starts_with("user ci "))
        .unwrap();
    let rights = rights
        .replace("CHANGE-ME", "ci-pass-8d2f")
        .replace("~cloudconnexa-auth:", "~team-a:");
    let words = rights.split(' ').skip(1);
    server.cli(
        &["ACL", "SETUSER"]
            .into_iter()
            .chain(words)
            .collect::<Vec<_>>(),
    );
    let world = World::without_profile(Sandbox::builder());
    world.write_secret("store.secret", "ci-pass-8d2f");
    fs::write(
        world.config_folder().join("store.pem"),
        server.certificate(),
    )
    .unwrap();
    world.write_config(&format!(
        "{}\n[profiles.prod.shared_store]\nurl = \"rediss://localhost:{}/0\"\n\
         user = {{ env = \"STORE_USER\" }}\npassword = {{ file = \"store.secret\" }}\n\
         prefix = \"team-a:\"\nca_file = \"store.pem\"\n",
        world.profile_text("prod"),
        server.port
    ));

    world.run(["token"]).set("STORE_USER", "ci").succeeds();

    assert_eq!(server.keys().len(), 1);
    assert!(server.key(":token").starts_with("team-a:{"));
}

#[test]
fn a_store_whose_ca_only_a_folder_holds_is_trusted_without_a_second_request() {
    let fleet = Fleet::new();
    let world = &fleet.world;
    let folder = world.path("roots");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("store.pem"), fleet.server.certificate()).unwrap();
    fs::write(world.path("ca.pem"), world.sandbox.ca_pem()).unwrap();

    // Without the root certificate, the store causes a warning that also reports the problem with
    // the roots.
    world.set("SSL_CERT_DIR", world.path("missing").to_str().unwrap());
    let (_, stderr) = fleet.on(3, ["token"]).outcome().succeeds_with_stderr();
    for words in [
        "UnknownIssuer",
        "no roots were read from",
        "it does not exist",
    ] {
        assert!(stderr.contains(words), "{stderr}");
    }
    assert_eq!(fleet.server.keys(), Vec::<String>::new());

    world.set("SSL_CERT_DIR", folder.to_str().unwrap());
    let token = fleet.token(1);
    assert_eq!(fleet.token(2), token, "the token comes from the store");
    assert_eq!(world.sandbox.token_requests(), 2, "hosts 3 and 1");
}

#[test]
fn the_store_and_the_token_endpoint_are_trusted_by_what_was_read_once() {
    let fleet = Fleet::new();
    let ca = fleet.world.path("ca.pem");
    let script = "exec strace -f -qq -e trace=open,openat -o calls \"$0\" token";
    fleet.on(1, ["-c", script]).through_shell().succeeds();
    let calls = fs::read_to_string(fleet.world.path("calls")).unwrap();
    let opened = calls.matches(&format!("\"{}\"", ca.display())).count();
    assert_eq!(opened, 1, "{calls}");
}

#[test]
fn a_socket_and_another_database_are_shared_through_too() {
    let server = Server::plain(&[]);
    for (url, database) in [
        (format!("unix:{}", server.path("sock").display()), "0"),
        (format!("redis://127.0.0.1:{}/3", server.port), "3"),
    ] {
        let world = World::new();
        world.watch(PASSWORD);
        world
            .run(["token"])
            .set("CLOUDCONNEXA_AUTH_SHARED_STORE", &url)
            .set("CLOUDCONNEXA_AUTH_SHARED_STORE_PASSWORD", PASSWORD)
            .succeeds();
        assert_eq!(server.cli(&["-n", database, "DBSIZE"]), "1", "{url}");
    }
}

#[test]
fn what_cannot_be_meant_is_told_with_its_place() {
    let world = World::without_profile(Sandbox::builder());
    for (lines, told) in [
        (
            "url = \"redis://cache.internal\"",
            "config.toml:6:7: `url` is not usable: plain `redis://`",
        ),
        (
            "url = \"rediss://u:hunter2hunter2@cache\"",
            "`url` is not usable: it holds user info",
        ),
        (
            "url = \"http://cache\"",
            "`url` is not usable: it does not start with",
        ),
        (
            "url = \"rediss://c\"\npassword = \"hunter2hunter2\"",
            "`password` of the store stands in the file itself",
        ),
        (
            "url = \"rediss://c\"\npassword = {}",
            "password needs exactly one of",
        ),
        ("url = \"rediss://c\"\nprefix = \"a b\"", "`prefix` must be"),
        (
            "url = \"rediss://c\"\ninsecure = \"yes\"",
            "`insecure` must be `true` or `false`",
        ),
        ("prefix = \"a\"", "shared_store has no `url`"),
        (
            "urll = \"rediss://c\"",
            "unknown key `urll` in shared_store",
        ),
    ] {
        let profile = world.profile_text("prod");
        world.write_config(&format!("{profile}[profiles.prod.shared_store]\n{lines}\n"));
        let stderr = world.run(["token"]).fails(3);
        assert!(stderr.contains(told), "{lines}: {stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
    let fleet = Fleet::new();
    let run = fleet.on(1, ["token"]);
    let stderr = run
        .set(
            "CLOUDCONNEXA_AUTH_SHARED_STORE",
            "redis://u:hunter2hunter2@c",
        )
        .fails(3);
    assert!(
        stderr.contains("`CLOUDCONNEXA_AUTH_SHARED_STORE` is not usable"),
        "{stderr}"
    );
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn whatever_is_wrong_with_the_store_is_one_warning_beside_a_good_answer() {
    let fleet = Fleet::new();
    let plain = Server::plain(&[]);
    let closed = format!("redis://127.0.0.1:{}", super::server::free_port());
    let no_tls = format!("rediss://localhost:{}", plain.port);
    let readable = plain.url(false);
    let set = "CLOUDCONNEXA_AUTH_SHARED_STORE";
    let password = "CLOUDCONNEXA_AUTH_SHARED_STORE_PASSWORD";
    let sandbox = fleet
        .world
        .sandbox
        .base_url()
        .replace("https://", "rediss://");
    let mut host = 0;
    let mut warns = |url: &str, pass: Option<&str>, told: &str| {
        host += 1;
        let run = fleet.on(host, ["token"]).set(set, url);
        let run = match pass {
            Some(pass) => run.set(password, pass),
            None => run.unset(password),
        };
        let (stdout, stderr) = run.outcome().succeeds_with_stderr();
        assert!(!stdout.is_empty());
        let lines: Vec<&str> = stderr.lines().collect();
        assert!(
            lines.len() == 1 && lines[0].contains("warning: profile `env`: the shared store"),
            "{url}: {stderr}"
        );
        assert!(stderr.contains(told), "{url}: {stderr}");
    };
    warns(&closed, Some(PASSWORD), "no connection: connection refused");
    warns("unix:/nowhere/sock", Some(PASSWORD), "no such file");
    warns("rediss://store.invalid", Some(PASSWORD), "was not found");
    warns(&no_tls, Some(PASSWORD), "cannot be used");
    warns(
        &sandbox,
        Some(PASSWORD),
        "not that of a Redis or Valkey server",
    );
    warns(&readable, Some("wrong-pass-1234"), "WRONGPASS");
    warns(&readable, None, "NOAUTH");
    warns(
        &format!("{}9", readable.trim_end_matches('0')),
        Some(PASSWORD),
        "answered \"ERR\"",
    );
    plain.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    warns(&readable, Some(PASSWORD), "OOM");
    plain.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    plain.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    warns(&readable, Some(PASSWORD), "NOREPLICAS");
    plain.cli(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    plain.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    warns(&readable, Some(PASSWORD), "READONLY");
    plain.cli(&["REPLICAOF", "NO", "ONE"]);
    plain.cli(&["ACL", "SETUSER", "default", "-eval"]);
    let run = fleet.on(99, ["token"]).set(set, &readable);
    let (_, stderr) = run.outcome().succeeds_with_stderr();
    assert!(
        stderr.contains("NOPERM") && stderr.lines().count() == 1,
        "{stderr}"
    );
}

#[test]
fn a_tool_is_told_nothing_of_a_store_that_fails() {
    let fleet = Fleet::new();
    let request = format!("{{\"uri\":\"{}/x\"}}", fleet.world.sandbox.base_url());
    let closed = format!("redis://127.0.0.1:{}", super::server::free_port());
    let run = fleet.on(1, ["get"]).stdin(request);
    // stderr must be empty.
    run.set("CLOUDCONNEXA_AUTH_SHARED_STORE", &closed)
        .succeeds();
}

#[test]
fn tampering_achieves_a_miss() {
    let fleet = Fleet::new();
    let other = fleet
        .world
        .sandbox
        .add_credential(CredentialSpec::default());
    let theirs = |host: usize| {
        fleet
            .on(host, ["token"])
            .set("CLOUDCONNEXA_CLIENT_ID", &other.client_id)
            .set("CLOUDCONNEXA_CLIENT_SECRET", &other.client_secret)
    };
    let first = fleet.token(1);
    let mine = fleet.server.key(":token");
    let value = fleet.server.hex(&mine);
    let stranger = theirs(2).succeeds();
    let their_key = fleet
        .server
        .keys()
        .into_iter()
        .find(|key| *key != mine)
        .unwrap();
    let their_value = fleet.server.hex(&their_key);
    assert_eq!(fleet.world.sandbox.token_requests(), 2);

    let flipped = |at: usize| {
        let mut changed = value.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        String::from_utf8(changed).unwrap()
    };
    let length = value.len();
    let mut requests = 2;
    for (host, tampered) in [
        flipped(1),
        flipped(2),
        flipped(70),
        flipped(150),
        flipped(length - 1),
        value[..length - 2].to_owned(),
        value[..20].to_owned(),
        format!("{value}00"),
        "00".to_owned(),
        their_value.clone(),
    ]
    .iter()
    .enumerate()
    {
        fleet.server.set_hex(&mine, tampered);
        let token = fleet.token(10 + host);
        requests += 1;
        assert_eq!(
            fleet.world.sandbox.token_requests(),
            requests,
            "a miss: {tampered}"
        );
        assert_ne!(token, stranger.trim_end(), "token of another identity");
        assert_ne!(token, first);
    }
    fleet.server.set_hex(&their_key, &value);
    assert_ne!(
        theirs(30).succeeds().trim_end(),
        first,
        "the other identity gets this token"
    );

    // A value of 100 MiB under every key.
    let name = mine.trim_end_matches(":token");
    for what in ["token", "cooldown", "lease"] {
        let script = "redis.call('SET',KEYS[1],string.rep('x',104857600))";
        fleet
            .server
            .cli(&["EVAL", script, "1", &format!("{name}:{what}")]);
    }
    let (huge, stderr) = fleet
        .on(40, ["token", "--timeout", "4s"])
        .outcome()
        .succeeds_with_stderr();
    assert!(!huge.is_empty(), "{stderr}");
    fleet.server.cli(&["FLUSHALL"]);
    fleet.server.cli(&["LPUSH", &mine, "a"]);
    let (_, stderr) = fleet.on(41, ["token"]).outcome().succeeds_with_stderr();
    assert!(stderr.contains("WRONGTYPE"), "{stderr}");
}

#[test]
fn erase_drops_the_shared_token_where_it_is_the_named_one() {
    let fleet = Fleet::new();
    let token = fleet.token(1);
    let erase = |host, token: &str| {
        let input = format!("{{\"profile\":\"env\",\"token\":\"{token}\"}}");
        fleet.on(host, ["erase"]).stdin(input).succeeds();
    };
    erase(2, "another");
    assert_eq!(fleet.server.keys().len(), 1);
    erase(2, &token);
    assert_eq!(fleet.server.keys().len(), 0);
    assert_eq!(fleet.token(1), token, "other hosts keep their token");
    assert_ne!(fleet.token(2), token);
}

#[test]
fn erase_says_where_the_shared_token_stays() {
    let fleet = Fleet::new();
    let token = fleet.token(1);
    let input = format!("{{\"profile\":\"env\",\"token\":\"{token}\"}}");
    let erase = || fleet.on(1, ["erase"]).stdin(input.clone());
    for (run, told) in [
        (
            erase().set("CLOUDCONNEXA_AUTH_SHARED_STORE", "unix:/nowhere/sock"),
            "no connection",
        ),
        (
            erase()
                .unset("CLOUDCONNEXA_CLIENT_SECRET")
                .set("CLOUDCONNEXA_CLIENT_SECRET_FILE", "/nowhere/secret"),
            "need the client secret",
        ),
    ] {
        let (_, stderr) = run.outcome().succeeds_with_stderr();
        assert!(
            stderr.contains(told) && stderr.ends_with("; what is shared stays there\n"),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    assert_eq!(fleet.token(2), token);
}

#[test]
fn status_tells_the_store_and_does_not_ask_it() {
    let fleet = Fleet::new();
    fleet.token(1);
    fleet.server.signal("STOP");
    let page = fleet.on(1, ["status"]).succeeds();
    let url = fleet.server.url(true);
    assert!(
        page.contains(&format!("store      {url} (not asked)")),
        "{page}"
    );
    let json = fleet.on(1, ["status", "--json"]).succeeds();
    assert!(
        json.contains(&format!("\"shared_store\":\"{url}\"")),
        "{json}"
    );
}

#[test]
fn doctor_tries_the_store() {
    let fleet = Fleet::new();
    let found = |host| {
        let page = fleet.on(host, ["doctor", "--json"]).outcome().stdout;
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        let checks = page["checks"].as_array().unwrap();
        let check = checks
            .iter()
            .find(|check| check["name"] == "shared_store")
            .unwrap();
        format!("{}: {}", check["state"], check["what"])
    };
    let fresh = found(1);
    assert!(
        fresh.contains("ok") && fresh.contains("no token yet"),
        "{fresh}"
    );
    let later = found(1);
    assert!(later.contains("it holds a token"), "{later}");
    let keys = fleet.server.keys();
    assert_eq!(keys.len(), 1, "the check leaves no keys behind: {keys:?}");
    fleet.server.cli(&["ACL", "SETUSER", "default", "-eval"]);
    let refused = found(1);
    assert!(
        refused.contains("warning") && refused.contains("NOPERM"),
        "{refused}"
    );
}

#[test]
fn no_child_is_given_the_stores_password() {
    let fleet = Fleet::new();
    let seen = fleet.on(1, ["exec", "--", "env"]).outcome().stdout;
    assert!(seen.contains("CLOUDCONNEXA_AUTH_SHARED_STORE="), "{seen}");
    assert!(!seen.contains("SHARED_STORE_PASSWORD"), "{seen}");
}

#[test]
fn whoever_leaves_the_next_token_to_another_host_says_so_with_v_alone() {
    let fleet = Fleet::new();
    let token = fleet.token(1);
    fleet.token(2);
    fleet.advance(Duration::from_secs(10 * 3600));
    let refresh = fleet.server.key(":token").replace(":token", ":refresh");
    fleet.server.set_hex(&refresh, "00");

    assert_eq!(fleet.token(1), token, "without -v");
    let outcome = fleet.on(2, ["token", "-v"]).outcome();

    let (stdout, stderr) = outcome.succeeds_with_stderr();
    assert_eq!(stdout.trim_end(), token);
    let told = "warning: another host looks for the next token of profile `env`; the present token";
    assert!(stderr.contains(told), "{stderr}");
}

#[test]
fn two_clocks_that_differ_by_ten_minutes_share() {
    let fleet = Fleet::new();
    let first = fleet.token(1);
    for (host, wrong) in [(2, 600), (3, -600), (4, 3600)] {
        let token = fleet.at(host, wrong, ["token"]).succeeds();
        assert_eq!(token.trim_end(), first, "a clock that is {wrong} s wrong");
        let told = fleet.at(host, wrong, ["token", "--json"]).succeeds();
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let left = told["expires_in"].as_i64().unwrap();
        let most = if wrong > 900 { 43_199 - 2700 } else { 43_199 };
        assert!((most - 60..=most).contains(&left), "{wrong}: {left} s left");
    }
    assert_eq!(fleet.world.sandbox.token_requests(), 1);
    // A token that a host with a wrong clock publishes is valid too.
    fleet.server.cli(&["FLUSHALL"]);
    let published = fleet.at(5, -600, ["token"]).succeeds();
    assert_eq!(fleet.token(6), published.trim_end());
    assert_eq!(fleet.at(7, 600, ["token"]).succeeds(), published);
    assert_eq!(fleet.world.sandbox.token_requests(), 2);
}

#[test]
fn the_document_is_enough_to_open_an_entry() {
    let fleet = Fleet::new();
    let token = fleet.token(1);
    let credential = fleet.world.sandbox.credential();
    let key = fleet.server.key(":token");
    let python = crate::clients::test_tools().join("python/bin/python3");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/shared_store/open.py");
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fleet.md");
    let url = format!("{}/api/v1/oauth/token", fleet.world.sandbox.base_url());
    let output = std::process::Command::new(python)
        .args([script, document, &url, &key, &fleet.server.hex(&key)])
        .env("CLIENT_ID", &credential.client_id)
        .env("CLIENT_SECRET", &credential.client_secret)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(said.trim_end(), token);
}
