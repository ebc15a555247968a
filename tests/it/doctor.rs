//! `doctor`: each check fails for a real cause and names a fix.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use cloudconnexa_sandbox::{Certificate, Fault, Form, Sandbox};

use crate::harness::{PROGRAM, World, copy_program, write_private};
use crate::helper::validate;
use crate::network::{Tinyproxy, trust_another_ca};

/// All checks, in their order.
const CHECKS: [&str; 20] = [
    "configuration",
    "profile",
    "client_id",
    "secret",
    "credential",
    "cache",
    "shared_store",
    "proxy",
    "dns",
    "tcp",
    "tls",
    "http",
    "clock",
    "token",
    "form",
    "scope",
    "api",
    "rate_limit",
    "links",
    "tools",
];

/// The result of `doctor`: the checks as `name state what fix`, and the exit code.
struct Findings {
    checks: Vec<(String, String, String, String)>,
    code: i32,
}

impl Findings {
    /// Returns the first check of this name.
    #[track_caller]
    fn of(&self, name: &str) -> (&str, &str, &str) {
        let found = self.checks.iter().find(|(it, ..)| it == name);
        let (_, state, what, fix) = found.unwrap_or_else(|| panic!("no {name} in {}", self.all()));
        (state, what, fix)
    }

    /// Requires that the check has this state and that its text contains these words.
    #[track_caller]
    fn says(&self, name: &str, state: &str, words: &[&str]) {
        let (found, what, fix) = self.of(name);
        let text = format!("{what}\n{fix}");
        let says_all = words.iter().all(|words| text.contains(words));
        assert!(found == state && says_all, "{words:?} in {}", self.all());
    }

    /// Requires that all checks except these are ok or skipped.
    #[track_caller]
    fn nothing_else_than(&self, names: &[&str]) {
        for (name, state, ..) in &self.checks {
            let is_fine = ["ok", "skipped"].contains(&state.as_str());
            let is_named = names.contains(&name.as_str());
            assert!(is_fine || is_named, "{name} in {}", self.all());
        }
    }

    /// Requires that all checks from this one to `rate_limit` were skipped.
    #[track_caller]
    fn nothing_from(&self, name: &str) {
        let from = CHECKS.iter().position(|it| *it == name).unwrap();
        // The cache is checked without a profile too, and before the network.
        let unasked = CHECKS.iter().take(17).skip(from);
        for name in unasked.filter(|name| **name != "cache") {
            assert_eq!(self.of(name).0, "skipped", "{name} in {}", self.all());
        }
    }

    fn all(&self) -> String {
        format!("{:#?} with {}", self.checks, self.code)
    }
}

/// Runs `doctor` with these flags; its output must match its schema, and stderr must be empty.
#[track_caller]
fn examine(world: &World, flags: &[&str]) -> Findings {
    let outcome = world
        .run_all(&[&["doctor", "--json"], flags].concat())
        .outcome();
    assert_eq!(outcome.stderr, "", "{outcome:?}");
    let told = validate("doctor", &outcome.stdout);
    let code = outcome.code.unwrap();
    assert_eq!(told["exit_code"], code);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let check = |it: &serde_json::Value| {
        (
            text(&it["name"]),
            text(&it["state"]),
            text(&it["what"]),
            text(&it["fix"]),
        )
    };
    let checks: Vec<_> = told["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(check)
        .collect();
    let mut names: Vec<&str> = checks.iter().map(|(name, ..)| name.as_str()).collect();
    names.dedup();
    assert_eq!(names, CHECKS, "all checks are in order");
    for (name, state, what, fix) in &checks {
        let is_told = ["ok", "skipped"].contains(&state.as_str()) || !fix.is_empty();
        assert!(is_told, "{name} is {state} but has no fix: {what}");
    }
    Findings { checks, code }
}

/// A world with a profile `prod` in the file, and a PATH that contains the program only.
fn world_of(builder: cloudconnexa_sandbox::Builder) -> World {
    let world = World::without_profile(builder);
    world.write_config(&world.profile_text("prod"));
    fs::create_dir(world.path("bin")).unwrap();
    world.set("PATH", world.path("bin").to_str().unwrap());
    world
}

fn world() -> World {
    world_of(Sandbox::builder())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Adds lines to the profile.
fn configure(world: &World, lines: &str) {
    let text = world.profile_text("prod");
    world.write_config(&format!("{text}{lines}\n"));
}

#[test]
fn where_all_is_well_every_check_says_so_and_one_token_is_asked_for() {
    let world = world();
    configure(&world, "secret_expires = 2999-01-01");
    symlink(PROGRAM, world.path("bin/git-credential-cloudconnexa")).unwrap();
    fs::write(
        world.home().join(".gitconfig"),
        "[credential \"https://git.acme.internal\"]\n\thelper = cloudconnexa\n",
    )
    .unwrap();

    let found = examine(&world, &[]);

    assert_eq!(found.code, 0, "{}", found.all());
    found.nothing_else_than(&[]);
    let address = world.sandbox.address();
    for (name, words) in [
        ("configuration", vec!["config.toml, 1 profile"]),
        ("profile", vec!["prod: the only one"]),
        ("secret", vec!["file ", "prod.secret: it can be read"]),
        ("credential", vec!["until 2999-01-01", "days left"]),
        ("cache", vec!["home/cache/cloudconnexa-auth, 0 entries"]),
        ("proxy", vec!["none"]),
        ("dns", vec!["127.0.0.1 is an address"]),
        ("tcp", vec!["takes connections"]),
        ("tls", vec!["TLS 1.3", "SSL_CERT_FILE", "1 root in all"]),
        ("http", vec![world.sandbox.base_url(), "answers (404"]),
        ("clock", vec!["goes as the server's"]),
        ("token", vec!["given, good for 12h"]),
        ("form", vec!["`basic`, found by `auto`"]),
        ("scope", vec!["read write"]),
        ("api", vec!["/api/v1/networks answers 200"]),
        ("rate_limit", vec!["18 requests left"]),
        ("links", vec!["1 name on PATH leads here"]),
        ("tools", vec!["git (", ".gitconfig)"]),
    ] {
        found.says(name, "ok", &words);
    }
    found.says("client_id", "skipped", &["no Cloud ID"]);
    assert!(found.of("tcp").1.contains(&address.to_string()));
    assert_eq!(world.sandbox.token_requests(), 1);
}

#[test]
fn a_good_token_at_hand_is_taken_and_another_only_where_it_is_asked_for() {
    let world = world();
    world.token();

    let found = examine(&world, &[]);
    found.says("token", "ok", &["cached, 12h left", "--refresh"]);
    found.says("form", "ok", &["`basic`"]);
    world.advance(Duration::from_secs(40_000));
    world.sandbox.clear_faults();
    let found = examine(&world, &[]);
    found.says("token", "ok", &["cached"]);
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "not even shortly before it expires"
    );

    let found = examine(&world, &["--refresh"]);
    found.says("token", "ok", &["given"]);
    assert_eq!(world.sandbox.token_requests(), 2);
}

#[test]
fn a_person_is_given_a_line_a_check_and_the_sum() {
    let world = world();
    world.sandbox.enable_api(false);
    let outcome = world.run(["doctor"]).outcome();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(4), ""));
    let page = outcome.stdout;
    assert!(page.starts_with("ok       configuration  "), "{page}");
    assert!(
        page.contains("\nfailed   token          the token endpoint refused"),
        "{page}"
    );
    assert!(page.contains("\n                        fix: "), "{page}");
    assert!(
        page.contains("\nskipped  rate limit     not asked: no token\n"),
        "{page}"
    );
    assert!(page.ends_with("\n\n1 failed\n"), "{page}");
    assert!(
        !page.contains("`cloudconnexa-auth doctor`"),
        "`doctor` is already running: {page}"
    );
    assert!(
        page.is_ascii(),
        "no symbol and no colour for a pipe: {page}"
    );
}

// Configuration

#[test]
fn a_broken_file_is_named_to_the_column_and_nothing_more_is_asked() {
    let world = world();
    world.write_config("[profiles.prod]\ncloudid = \"acme\"\n");
    let found = examine(&world, &[]);
    assert_eq!(found.code, 3);
    found.says(
        "configuration",
        "failed",
        &["config.toml:2:1", "`cloud_id`"],
    );
    found.nothing_from("profile");
    assert!(world.sandbox.requests().is_empty());
}

#[test]
fn what_others_can_write_is_told_of_with_the_command_that_mends_it() {
    let world = world();
    set_mode(&world.config(), 0o666);
    let path = world.config().to_str().unwrap().to_owned();
    let found = examine(&world, &[]);
    assert_eq!(found.code, 0, "a warning is no failure");
    found.says(
        "configuration",
        "warning",
        &["0666", &format!("chmod go-w '{path}'")],
    );

    set_mode(&world.config(), 0o644);
    set_mode(&world.config_folder(), 0o777);
    let found = examine(&world, &[]);
    found.says(
        "configuration",
        "warning",
        &["cloudconnexa-auth can be written", "0777"],
    );
    set_mode(&world.config_folder(), 0o755);
    examine(&world, &[]).nothing_else_than(&[]);
}

#[test]
fn why_this_profile_is_told() {
    let world = world();
    let two = |default: &str| {
        let (one, other) = (world.profile_text("prod"), world.profile_text("lab"));
        world.write_config(&format!("{default}{one}{other}"));
    };
    two("default_profile = \"lab\"\n");
    examine(&world, &[]).says("profile", "ok", &["lab: `default_profile` names it"]);
    let found = examine(&world, &["--profile", "prod"]);
    found.says("profile", "ok", &["prod: `--profile` names it"]);
    world.set("CLOUDCONNEXA_PROFILE", "prod");
    examine(&world, &[]).says("profile", "ok", &["prod: CLOUDCONNEXA_PROFILE names it"]);
    world.unset("CLOUDCONNEXA_PROFILE");
    two("");
    let found = examine(&world, &[]);
    assert_eq!(found.code, 3);
    found.says(
        "profile",
        "failed",
        &["2 profiles", "choose with `--profile`"],
    );
    found.nothing_from("client_id");

    let of_variables = World::new();
    let found = examine(&of_variables, &["--no-cache"]);
    found.says("profile", "ok", &["env: variables make it"]);
    found.says("configuration", "ok", &["no file"]);
    found.says("cache", "skipped", &["--no-cache"]);
}

#[test]
fn a_client_id_of_another_tenant_and_one_that_is_cut_are_seen() {
    let world = world();
    let token_url = format!("{}/api/v1/oauth/token", world.sandbox.base_url());
    let config = |cloud_id: &str, client_id: &str| {
        world.write_config(&format!(
            "[profiles.prod]\ncloud_id = \"{cloud_id}\"\nbase_url = \"{}\"\nclient_id = \
             \"{client_id}\"\ntoken_url = \"{token_url}\"\n\
             client_secret = {{ file = \"prod.secret\" }}\n",
            world.sandbox.base_url()
        ));
    };
    let whole = world.sandbox.credential().client_id;
    config(world.sandbox.cloud_id(), &whole);
    examine(&world, &[]).says("client_id", "ok", &[&whole, "of Cloud ID"]);
    config("other", &whole);
    let found = examine(&world, &[]);
    found.says(
        "client_id",
        "warning",
        &["is `other`", "correct `cloud_id`"],
    );
    found.nothing_else_than(&["client_id"]);
    let (cut, _) = whole.rsplit_once('.').unwrap();
    config(world.sandbox.cloud_id(), cut);
    let found = examine(&world, &[]);
    assert_eq!(found.code, 4, "the server does not have this client");
    found.says("client_id", "warning", &["does not end in `.", "whole"]);
}

#[test]
fn a_secret_that_cannot_be_had_is_named_by_its_place() {
    let world = world();
    let path = world.config_folder().join("prod.secret");
    set_mode(&path, 0o640);
    let found = examine(&world, &[]);
    assert_eq!(found.code, 3);
    found.says(
        "secret",
        "failed",
        &["0640", "chmod 600", path.to_str().unwrap()],
    );
    found.says("tls", "ok", &[]);
    found.nothing_from("token");

    fs::remove_file(&path).unwrap();
    let found = examine(&world, &[]);
    found.says(
        "secret",
        "failed",
        &["it does not exist", "cloudconnexa-auth login"],
    );
    assert_eq!(world.sandbox.token_requests(), 0);
}

#[test]
fn without_the_secret_the_token_at_hand_still_shows_whether_the_api_takes_it() {
    let world = world();
    world.token();
    fs::remove_file(world.config_folder().join("prod.secret")).unwrap();
    let found = examine(&world, &[]);
    assert_eq!(found.code, 3, "the next token will be missing");
    found.says("token", "ok", &["cached", "it is the last"]);
    found.says("api", "ok", &["200"]);
}

#[test]
fn a_program_is_asked_for_the_secret_once() {
    let world = world();
    let credential = world.sandbox.credential();
    let log = world.path("asked");
    let secret = world.config_folder().join("prod.secret");
    let script = format!(
        "echo x >> '{}'; /bin/cat '{}'",
        log.display(),
        secret.display()
    );
    let text = world.profile_text("prod");
    let command = format!("{{ command = [\"/bin/sh\", \"-c\", {script:?}] }}");
    world.write_config(&text.replace("{ file = \"prod.secret\" }", &command));
    let found = examine(&world, &[]);
    assert_eq!(found.code, 0, "{}", found.all());
    found.says("secret", "ok", &["command /bin/sh: it can be read"]);
    assert_eq!(
        fs::read_to_string(&log).unwrap(),
        "x\n",
        "it may ask the user"
    );
    assert_eq!(world.sandbox.token_requests_of(&credential.client_id), 1);
}

#[test]
fn the_end_of_the_credential_is_told_of_before_and_after() {
    let world = world();
    for (end, words) in [("2020-01-01", "has expired"), ("today", "ends today")] {
        let today = time::OffsetDateTime::now_utc().date().to_string();
        let end = if end == "today" { today.as_str() } else { end };
        configure(&world, &format!("secret_expires = {end}"));
        let found = examine(&world, &[]);
        found.says(
            "credential",
            "warning",
            &[
                words,
                "make new API credentials",
                "`cloudconnexa-auth login`",
            ],
        );
        found.nothing_else_than(&["credential"]);
    }
}

// The cache

#[test]
fn a_cache_that_cannot_be_used_is_a_warning_with_what_to_do() {
    let world = world();
    fs::create_dir_all(world.cache()).unwrap();
    set_mode(&world.cache(), 0o777);
    let found = examine(&world, &[]);
    assert_eq!(found.code, 0, "an unusable cache is only a warning");
    found.says("cache", "warning", &["0777", "chmod 700"]);
    found.says("token", "ok", &["given"]);

    let elsewhere = "set CLOUDCONNEXA_AUTH_CACHE_DIR";
    fs::remove_dir(world.cache()).unwrap();
    fs::write(world.cache(), "").unwrap();
    examine(&world, &[]).says("cache", "warning", &["a file, not a folder", elsewhere]);

    world.unset("XDG_CACHE_HOME");
    let homeless = world.run(["doctor", "--json"]).unset("HOME").outcome();
    let words = "there is no folder for it";
    assert!(homeless.stdout.contains(words), "{homeless:?}");
}

#[test]
fn entries_that_others_can_read_and_what_the_killed_leave_are_told_of() {
    let world = world();
    world.token();
    let (entry, _) = world.entry();
    set_mode(&entry, 0o644);
    let found = examine(&world, &[]);
    let chmod = format!("chmod 600 '{}'", entry.display());
    found.says("cache", "warning", &["others can read it", &chmod]);
    assert_eq!(world.sandbox.token_requests(), 2, "the entry is ignored");
    set_mode(&entry, 0o600);

    let left = world.cache().join("x.json.0123456789abcdef.new");
    write_private(&left, "");
    examine(&world, &[]).nothing_else_than(&[]);
    let file = fs::File::options().write(true).open(&left).unwrap();
    let hour = std::time::SystemTime::now() - Duration::from_secs(3600);
    file.set_modified(hour).unwrap();
    let found = examine(&world, &[]);
    found.says(
        "cache",
        "warning",
        &[left.to_str().unwrap(), "killed", "remove it"],
    );
}

// The connection

#[test]
fn a_name_that_nobody_knows_ends_the_way_at_dns() {
    let world = world();
    let text = world.profile_text("prod");
    world.write_config(&text.replace(world.sandbox.base_url(), "https://nowhere.invalid"));
    let found = examine(&world, &[]);
    assert_eq!(found.code, 6);
    found.says(
        "dns",
        "failed",
        &["the name of https://nowhere.invalid", "DNS"],
    );
    found.nothing_from("tcp");
}

#[test]
fn a_port_where_nobody_listens_ends_it_at_tcp() {
    let world = world();
    let text = world.profile_text("prod");
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    world.write_config(&text.replace(world.sandbox.base_url(), &format!("https://{closed}")));
    let found = examine(&world, &[]);
    assert_eq!(found.code, 6);
    found.says(
        "tcp",
        "failed",
        &["refused the connection", "check the network"],
    );
    found.nothing_from("tls");
}

#[test]
fn a_server_that_accepts_and_is_silent_ends_it_at_tls_within_the_time_given() {
    let world = world();
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = world.profile_text("prod");
    let address = hole.local_addr().unwrap();
    world.write_config(&text.replace(world.sandbox.base_url(), &format!("https://{address}")));
    let found = examine(&world, &["--timeout", "1s"]);
    assert_eq!(found.code, 6);
    found.says(
        "tls",
        "failed",
        &["no TLS handshake with", "within 1s", "--timeout"],
    );
    found.nothing_from("http");
}

#[test]
fn a_certificate_that_cannot_be_trusted_ends_it_at_tls_with_whose_word_is_taken() {
    let world = world();
    trust_another_ca(&world);
    let found = examine(&world, &[]);
    assert_eq!(found.code, 6);
    let says = [
        "UnknownIssuer",
        "SSL_CERT_FILE (",
        "another.pem",
        "set `ca_file`",
    ];
    found.says("tls", "failed", &says);
    found.nothing_from("http");

    let ca = world.path("ca.pem");
    configure(&world, &format!("ca_file = {:?}", ca.to_str().unwrap()));
    let found = examine(&world, &[]);
    found.says("tls", "ok", &["`ca_file` (", "2 roots"]);
    let folder = world.path("roots");
    fs::create_dir(&folder).unwrap();
    fs::copy(&ca, folder.join("ca.pem")).unwrap();
    world.set("SSL_CERT_DIR", folder.to_str().unwrap());
    examine(&world, &[]).says("tls", "ok", &["SSL_CERT_DIR (", "2 roots in all"]);
    configure(&world, "");
    let found = examine(&world, &["--refresh"]);
    assert_eq!(found.code, 0, "{}", found.all());
    found.says("tls", "ok", &["SSL_CERT_DIR (", "2 roots in all"]);
    world.set("SSL_CERT_FILE", ca.to_str().unwrap());
    examine(&world, &[]).says("tls", "ok", &["SSL_CERT_DIR (", "1 root in all"]);
    trust_another_ca(&world);
    world.unset("SSL_CERT_DIR");

    configure(&world, "ca_file = \"missing.pem\"");
    let found = examine(&world, &[]);
    assert_eq!(found.code, 3, "a setting");
    found.says("tls", "failed", &["missing.pem", "correct `ca_file`"]);

    for (certificate, says) in [
        (Certificate::Expired, "check this machine's clock"),
        (Certificate::WrongHost, "another host answers there"),
    ] {
        let world = world_of(Sandbox::builder().certificate(certificate));
        examine(&world, &[]).says("tls", "failed", &["cannot be trusted", says]);
    }
}

#[test]
fn a_server_without_tls_is_no_server_and_loopback_needs_none() {
    let world = world_of(Sandbox::builder().http());
    let found = examine(&world, &[]);
    assert_eq!(found.code, 0, "{}", found.all());
    found.says("tls", "skipped", &["plain HTTP"]);
    let text = world.profile_text("prod");
    world.write_config(&text.replace("http://", "https://"));
    examine(&world, &[]).says("tls", "failed", &["TLS 1.2 or 1.3"]);
}

#[test]
fn a_clock_that_goes_wrong_is_told_of_by_how_much() {
    let world = world();
    world.sandbox.advance(Duration::from_secs(630));
    let found = examine(&world, &[]);
    assert_eq!(found.code, 0);
    found.says(
        "clock",
        "warning",
        &["10m", "behind the server's", "set it"],
    );
    found.nothing_else_than(&["clock"]);
}

#[test]
fn the_proxy_is_named_without_its_password_and_the_way_leads_through_it() {
    let world = world();
    let proxy = Tinyproxy::with("BasicAuth somebody right-pass-word");
    let at = |user: &str| proxy.url().replacen("://", &format!("://{user}"), 1);
    world.watch("right-pass-word");
    world.watch("wrong-pass-word");
    world.set("HTTPS_PROXY", &at("somebody:right-pass-word@"));
    let found = examine(&world, &[]);
    assert_eq!(found.code, 0, "{}", found.all());
    let place = proxy.url().replacen("http://", "", 1);
    found.says("proxy", "ok", &[&place, "by HTTPS_PROXY"]);
    found.says("tcp", "ok", &[&place]);
    found.says("tls", "ok", &["through the proxy", "SSL_CERT_FILE"]);
    assert!(proxy.let_through(world.sandbox.address()));

    world.set("HTTPS_PROXY", &at("somebody:wrong-pass-word@"));
    let found = examine(&world, &["--refresh"]);
    assert_eq!(found.code, 6);
    let says = ["did not let the connection through", "check `HTTPS_PROXY`"];
    found.says("tls", "failed", &says);

    world.set("NO_PROXY", "127.0.0.1");
    let found = examine(&world, &[]);
    found.says(
        "proxy",
        "ok",
        &["none: NO_PROXY excepts this server from HTTPS_PROXY"],
    );
    world.unset("NO_PROXY");
    world.set("HTTPS_PROXY", "http://somebody:wrong-pass-word@proxy:port");
    let found = examine(&world, &[]);
    assert_eq!(found.code, 3);
    found.says("proxy", "failed", &["`HTTPS_PROXY`", "http://HOST:PORT"]);
    found.nothing_from("dns");
}

// The server

#[test]
fn a_refusal_says_what_it_is_and_is_not_repeated_while_it_binds() {
    let world = world();
    world.write_secret("prod.secret", "not-the-secret");
    let found = examine(&world, &[]);
    assert_eq!(found.code, 4);
    found.says(
        "token",
        "failed",
        &["401", "check the client ID and the secret"],
    );
    found.nothing_from("form");
    let asked = world.sandbox.token_requests();
    assert_eq!(asked, 2, "one exchange: `basic`, and `query` once");

    let found = examine(&world, &[]);
    assert_eq!(found.code, 4);
    found.says(
        "token",
        "failed",
        &["401", "no request is made for another"],
    );
    assert_eq!(
        world.sandbox.token_requests(),
        asked,
        "the cool-down applies"
    );
    examine(&world, &["--refresh"]);
    assert!(
        world.sandbox.token_requests() > asked,
        "unless it is requested"
    );
}

#[test]
fn one_request_has_to_do_also_where_another_command_would_try_again() {
    let world = world();
    world.sandbox.always(Some(Fault::status(503)));
    let found = examine(&world, &[]);
    assert_eq!(found.code, 6);
    found.says("token", "failed", &["it answered 503"]);
    assert_eq!(world.sandbox.token_requests(), 1);

    let world = self::world();
    let headers = vec![("Retry-After".to_owned(), "1".to_owned())];
    world.sandbox.next(Fault::Status {
        code: 429,
        headers,
        body: Vec::new(),
    });
    let found = examine(&world, &[]);
    assert_eq!(found.code, 5);
    found.says("token", "failed", &["rate limiting", "it asks to wait 1s"]);
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "and it does not wait for the rate limit"
    );
}

#[test]
fn a_lock_that_another_process_holds_is_waited_for_to_the_end_and_told_of() {
    let world = world();
    let gate = world.sandbox.gate();
    let holder = world.run(["token"]).start();
    gate.wait_for_requests(1);
    let found = examine(&world, &["--timeout", "1s"]);
    assert_eq!(found.code, 7);
    found.says("token", "failed", &["another process", "--timeout"]);
    gate.release();
    holder.outcome().succeeds();
}

#[test]
fn the_form_that_the_endpoint_takes_is_told_and_query_is_warned_of() {
    let world = world_of(Sandbox::builder().accept(&[Form::Query]));
    let found = examine(&world, &[]);
    assert_eq!(found.code, 0);
    found.says("form", "warning", &["`query`", "auth_method"]);
    let world = self::world();
    configure(&world, "auth_method = \"json\"");
    examine(&world, &[]).says("form", "ok", &["`json`, as `auth_method` says"]);
}

#[test]
fn what_the_api_says_to_a_token_is_told_apart() {
    let world = world();
    world.token();
    world.sandbox.enable_api(false);
    let found = examine(&world, &[]);
    assert_eq!(found.code, 4);
    found.says(
        "api",
        "failed",
        &["403", "API access is disabled", "Enable API"],
    );
    world.sandbox.enable_api(true);

    world
        .sandbox
        .revoke_tokens(&world.sandbox.credential().client_id);
    let found = examine(&world, &[]);
    assert_eq!(found.code, 4);
    found.says("api", "failed", &["401", "doctor --refresh"]);
    assert_eq!(examine(&world, &["--refresh"]).code, 0, "as it says");

    let nowhere = format!("{}/nowhere", world.sandbox.base_url());
    let token_url = format!("{}/api/v1/oauth/token", world.sandbox.base_url());
    let text = world.profile_text("prod");
    let text = text.replace(world.sandbox.base_url(), &nowhere);
    world.write_config(&format!("{text}token_url = \"{token_url}\"\n"));
    let found = examine(&world, &[]);
    assert_eq!(found.code, 3);
    found.says(
        "api",
        "failed",
        &["/nowhere/api/v1/networks", "404", "base_url"],
    );
}

#[test]
fn a_limit_that_is_used_up_is_told_of() {
    let hour = Duration::from_secs(3600);
    let world = world_of(Sandbox::builder().rate_limit(2, hour));
    let found = examine(&world, &[]);
    assert_eq!(found.code, 0);
    found.says(
        "rate_limit",
        "warning",
        &["0 requests left; one more every 1h"],
    );
    let found = examine(&world, &[]);
    assert_eq!(found.code, 5);
    found.says("api", "failed", &["429", "wait"]);
}

#[test]
fn a_server_that_is_not_the_vendors_has_no_api_to_ask() {
    let world = world();
    let text = world.profile_text("prod");
    let token_url = format!("{}/api/v1/oauth/token", world.sandbox.base_url());
    let text = text.replace("base_url", "token_url");
    world.write_config(&text.replace(world.sandbox.base_url(), &token_url));
    let found = examine(&world, &[]);
    assert_eq!(found.code, 0, "{}", found.all());
    found.says("api", "skipped", &["no `base_url`"]);
    found.says("token", "ok", &["given"]);
}

// What tools use

#[test]
fn a_link_that_leads_nowhere_or_to_another_program_is_told_of() {
    let world = world();
    let link = world.path("bin/docker-credential-cloudconnexa");
    symlink(world.path("gone"), &link).unwrap();
    let found = examine(&world, &[]);
    assert_eq!(found.code, 0);
    let path = link.to_str().unwrap();
    found.says(
        "links",
        "warning",
        &[path, "leads nowhere", "gone", "ln -sf '"],
    );

    fs::remove_file(&link).unwrap();
    let other = world.path("bin/git-credential-cloudconnexa");
    fs::write(&other, "#!/bin/sh\n").unwrap();
    let found = examine(&world, &[]);
    found.says(
        "links",
        "warning",
        &["is another program", "git-credential"],
    );

    fs::remove_file(&other).unwrap();
    let plugins = world.home().join(".terraform.d/plugins/linux_amd64");
    fs::create_dir_all(&plugins).unwrap();
    symlink(
        "gone",
        plugins.join("terraform-credentials-cloudconnexa_v1.0.0"),
    )
    .unwrap();
    let found = examine(&world, &[]);
    found.says("links", "warning", &["linux_amd64", "leads nowhere"]);
}

#[test]
fn a_pipe_under_a_helpers_name_is_no_program_and_not_waited_for() {
    let world = World::new();
    let folder = world.path("pipes");
    fs::create_dir(&folder).unwrap();
    let pipe = folder.join("git-credential-cloudconnexa");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    world.set("PATH", &format!("{}:/usr/bin:/bin", folder.display()));

    examine(&world, &[]).says("links", "warning", &["is another program"]);
}

#[test]
fn a_copy_is_this_program_and_what_stands_behind_it_on_path_is_not_asked() {
    let world = world();
    copy_program(&world.path("bin/cargo-credential-cloudconnexa"));
    let second = world.path("second");
    fs::create_dir(&second).unwrap();
    fs::write(second.join("cargo-credential-cloudconnexa"), "old").unwrap();
    let path = format!("{}:{}", world.path("bin").display(), second.display());
    world.set("PATH", &path);
    examine(&world, &[]).says("links", "ok", &["1 name"]);
}

#[test]
fn a_tool_that_is_wired_to_what_is_not_there_is_told_of() {
    let world = world();
    let folder = world.home().join(".docker");
    fs::create_dir(&folder).unwrap();
    let wired = r#"{"credHelpers": {"registry.acme.internal": "cloudconnexa"}}"#;
    fs::write(folder.join("config.json"), wired).unwrap();
    let found = examine(&world, &[]);
    found.says(
        "tools",
        "warning",
        &["docker is told to ask", "not found", "PATH"],
    );
    symlink(PROGRAM, world.path("bin/docker-credential-cloudconnexa")).unwrap();
    examine(&world, &[]).says("tools", "ok", &["docker ("]);
}
