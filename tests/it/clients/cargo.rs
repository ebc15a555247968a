//! Real Cargo with the published configuration, and a registry that verifies every token.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::clients::{
    Ended, Resource, client, configure, guarded, links, published, revoke_tokens, run,
    run_with_stdin, spoil_secret, write_program,
};
use crate::harness::World;

const INDEX: &str = "crates.acme.internal";

struct Fixture {
    world: World,
    resource: Resource,
}

impl Fixture {
    fn new() -> Self {
        let (world, resource) = guarded();
        links(&world);
        let scene = Self { world, resource };
        let project = scene.project();
        fs::create_dir_all(project.join(".cargo")).unwrap();
        fs::create_dir(project.join("src")).unwrap();
        fs::write(project.join("src/lib.rs"), "").unwrap();
        let manifest = "[package]\nname = \"acme-user\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
             description = \"of the tests\"\nlicense = \"MIT\"\n[workspace]\n[dependencies]\n\
             acme-private = { version = \"0.1.0\", registry = \"acme\" }\n";
        fs::write(project.join("Cargo.toml"), manifest).unwrap();
        scene.use_published("cargo/.cargo/config.toml", &[]);
        scene
    }

    /// Installs a published configuration as the project's, for this registry.
    fn use_published(&self, name: &str, replaced: &[(&str, &str)]) {
        let host = format!("{}/crates", self.resource.authority());
        let replaced = [&[(INDEX, host.as_str())], replaced].concat();
        let text = published(name, &replaced);
        fs::write(self.project().join(".cargo/config.toml"), text).unwrap();
    }

    fn project(&self) -> PathBuf {
        self.world.path("project")
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let program = Path::new(env!("CARGO"));
        let mut command = client(&self.world, program);
        // Use the rustc beside it, because the home of a test has no rustup.
        let rustc = program.with_file_name("rustc");
        if rustc.exists() {
            command.env("RUSTC", rustc);
        }
        command.current_dir(self.project()).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(&self.world, &mut self.cargo(arguments))
    }

    /// Runs `cargo fetch` without any cached data.
    fn fetch(&self) -> Ended {
        drop(fs::remove_dir_all(self.world.home().join(".cargo")));
        drop(fs::remove_file(self.project().join("Cargo.lock")));
        self.run(&["fetch"])
    }

    #[track_caller]
    fn fetches(&self) {
        let ended = self.fetch();
        assert!(
            ended.stderr.contains("Downloaded acme-private v0.1.0"),
            "{}",
            ended.story()
        );
        assert!(
            !ended.stderr.contains("cloudconnexa-auth:"),
            "the helper has nothing to say: {}",
            ended.stderr
        );
        ended.succeeds();
    }

    fn token_requests(&self) -> usize {
        self.world.sandbox.token_requests()
    }

    /// Requires that requests had tokens, and that all of them were accepted.
    #[track_caller]
    fn shows_good_tokens_only(&mut self) {
        let shown = self.resource.tokens_shown();
        assert!(!shown.is_empty());
        assert!(shown.iter().all(|it| it == "Bearer accepted"), "{shown:?}");
    }
}

#[test]
fn cargo_fetches_from_a_private_registry_with_the_published_configuration() {
    let mut scene = Fixture::new();

    scene.fetches();
    scene.fetches();

    assert_eq!(
        scene.token_requests(),
        1,
        "the second process gets it from the cache"
    );
    scene.shows_good_tokens_only();
    let record = scene.resource.record();
    for part in ["/index/config.json", "/ac/me/acme-private", "/download"] {
        let is_asked = record.iter().any(|it| it.path.ends_with(part));
        assert!(is_asked, "no {part} in {record:?}");
    }
}

#[test]
fn cargo_asks_the_helper_once_for_the_index_and_the_downloads() {
    let scene = Fixture::new();
    let calls = scene.world.path("calls");
    let helper = scene.world.path("counting");
    let real = links(&scene.world).join("cargo-credential-cloudconnexa");
    let script = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\nexec '{}' \"$@\"\n",
        calls.display(),
        real.display()
    );
    write_program(&helper, &script);
    let name = "cargo-credential-cloudconnexa";
    scene.use_published(
        "cargo/.cargo/config.toml",
        &[(name, helper.to_str().unwrap())],
    );

    scene.fetches();

    assert_eq!(
        fs::read_to_string(calls).unwrap(),
        "--cargo-plugin\n",
        "cargo can cache the token until its expiry"
    );
}

#[test]
fn cargo_gives_its_configured_arguments_to_the_program_under_its_own_name() {
    let mut scene = Fixture::new();
    for arguments in [
        "\"cloudconnexa-auth\"",
        "\"cloudconnexa-auth\", \"cargo\"",
        "\"cloudconnexa-auth\", \"cargo\", \"--profile\", \"prod\"",
        "\"cloudconnexa-auth\", \"--min-ttl\", \"30m\"",
    ] {
        let name = "\"cargo-credential-cloudconnexa\"";
        scene.use_published("cargo/.cargo/config.toml", &[(name, arguments)]);

        scene.fetches();
    }
    assert_eq!(scene.token_requests(), 1);
    scene.shows_good_tokens_only();

    let name = "\"cargo-credential-cloudconnexa\"";
    let arguments = "\"cloudconnexa-auth\", \"--profile\", \"prdo\"";
    scene.use_published("cargo/.cargo/config.toml", &[(name, arguments)]);
    let stderr = scene.fetch().fails();
    assert!(stderr.contains("profile `prdo` does not exist"), "{stderr}");
}

#[test]
fn cargo_fetches_with_the_published_token_from_stdout() {
    let mut scene = Fixture::new();
    scene.use_published("cargo/token-from-stdout.toml", &[]);

    scene.fetches();

    assert_eq!(scene.token_requests(), 1);
    scene.shows_good_tokens_only();
}

#[test]
fn cargo_publishes_with_the_token() {
    let mut scene = Fixture::new();

    let ended = scene.run(&["publish", "--registry", "acme", "--no-verify"]);
    assert!(
        ended.stderr.contains("Published acme-user v0.1.0"),
        "{}",
        ended.story()
    );
    ended.succeeds();

    assert_eq!(scene.token_requests(), 1);
    scene.shows_good_tokens_only();
    let record = scene.resource.record();
    let published = record.iter().find(|it| it.method == "PUT").unwrap();
    assert_eq!(published.accepted, Some(true));
}

#[test]
fn cargo_gets_no_token_for_an_index_that_is_no_profiles() {
    for name in ["cargo/.cargo/config.toml", "cargo/token-from-stdout.toml"] {
        let mut scene = Fixture::new();
        scene.use_published(name, &[]);
        configure(&scene.world, &[INDEX]);

        let stderr = scene.fetch().fails();

        let says = if name.ends_with("config.toml") {
            "no credential providers could handle the request"
        } else {
            "cloudconnexa-auth: error: "
        };
        assert!(stderr.contains(says), "{stderr}");
        assert_eq!(scene.resource.tokens_shown(), Vec::<String>::new());
        assert_eq!(scene.token_requests(), 0);
    }
}

#[test]
fn cargo_goes_on_to_the_next_provider_for_an_index_that_is_no_profiles() {
    let mut scene = Fixture::new();
    configure(&scene.world, &[INDEX]);
    let token = scene.world.sandbox.credential();
    let token = scene.world.sandbox.issue_token(&token.client_id);
    let own = "credential-provider = [\"cargo-credential-cloudconnexa\"]\n";
    scene.use_published("cargo/.cargo/config.toml", &[(own, "")]);
    let path = scene.project().join(".cargo/config.toml");
    let text = fs::read_to_string(&path).unwrap();
    let providers = "[\"cargo:token\", \"cargo-credential-cloudconnexa\"]";
    let global = format!("{text}[registry]\nglobal-credential-providers = {providers}\n");
    fs::write(&path, global).unwrap();

    let mut fetch = scene.cargo(&["fetch"]);
    fetch.env("CARGO_REGISTRIES_ACME_TOKEN", format!("Bearer {token}"));
    run(&scene.world, &mut fetch).succeeds();

    assert_eq!(scene.token_requests(), 0);
    scene.shows_good_tokens_only();
}

#[test]
fn cargo_login_and_logout_say_that_there_is_nothing_to_keep() {
    let scene = Fixture::new();
    scene.world.watch("token-of-a-person");

    let mut login = scene.cargo(&["login", "--registry", "acme"]);
    let ended = run_with_stdin(&scene.world, &mut login, "token-of-a-person\n");
    let logout = scene.run(&["logout", "--registry", "acme"]);
    for (ended, action) in [(ended, "login"), (logout, "logout")] {
        let stderr = ended.fails();
        assert!(
            stderr.contains(&format!("failed action `{action}`"))
                && stderr.contains("requested operation not supported"),
            "{stderr}"
        );
    }
}

#[test]
fn cargo_shows_why_there_is_no_token() {
    for name in ["cargo/.cargo/config.toml", "cargo/token-from-stdout.toml"] {
        let mut scene = Fixture::new();
        scene.use_published(name, &[]);
        spoil_secret(&scene.world);

        let stderr = scene.fetch().fails();

        for says in [
            "the token endpoint refused the credentials of profile `prod` (401 invalid_client)",
            "/api/v1/oauth/token",
        ] {
            assert!(stderr.contains(says), "no {says:?} in {stderr}");
        }
        assert_eq!(scene.resource.tokens_shown(), Vec::<String>::new());
    }
}

#[test]
fn a_refused_token_fails_cargo_until_it_is_dropped_by_hand() {
    let scene = Fixture::new();
    scene.fetches();
    revoke_tokens(&scene.world);

    let stderr = scene.fetch().fails();
    assert!(stderr.contains("token rejected"), "{stderr}");
    assert_eq!(scene.token_requests(), 1, "cargo does not report it");

    let erase = scene.world.run(["erase"]);
    erase.stdin("{\"profile\": \"prod\"}").succeeds();
    scene.fetches();
    assert_eq!(scene.token_requests(), 2);
}

#[test]
fn an_expired_token_is_not_shown_by_cargo() {
    let mut scene = Fixture::new();
    scene.fetches();

    scene.world.advance(Duration::from_secs(13 * 3600));
    scene.fetches();

    assert_eq!(scene.token_requests(), 2);
    scene.shows_good_tokens_only();
}
