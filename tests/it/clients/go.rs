//! Real go with the published GOAUTH, and a module proxy that verifies every token. go is the only
//! client that starts the helper again for a refused token and then retries once.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use cloudconnexa_sandbox::Sandbox;

use crate::clients::{
    Challenge, Ended, Resource, client, configure, guarded, links, published, revoke_tokens, run,
    run_in_parallel, spoil_secret, tool, world,
};
use crate::harness::World;

const MODULE: &str = "go.acme.internal/private@v1.0.0";

struct Fixture {
    world: World,
    resource: Resource,
}

impl Fixture {
    fn new() -> Self {
        let (world, resource) = guarded();
        Self::with(world, resource)
    }

    fn with(world: World, resource: Resource) -> Self {
        links(&world);
        let proxy = format!("{}/go", resource.url());
        let text = published("go/env", &[("https://go.acme.internal", &proxy)]);
        fs::write(world.path("goenv"), text).unwrap();
        Self { world, resource }
    }

    /// go with an empty module cache of this name.
    fn go(&self, cache: &str, arguments: &[&str]) -> Command {
        let mut command = client(&self.world, tool("go"));
        command
            .env("GOENV", self.world.path("goenv"))
            .env("GOMODCACHE", self.modules(cache))
            // No other toolchain, and modules that can be deleted with the test.
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-modcacherw")
            .args(arguments);
        command
    }

    fn modules(&self, cache: &str) -> PathBuf {
        self.world.path("modules").join(cache)
    }

    fn download(&self, cache: &str) -> Ended {
        run(
            &self.world,
            &mut self.go(cache, &["mod", "download", MODULE]),
        )
    }

    #[track_caller]
    fn downloads(&self, cache: &str) {
        let ended = self.download(cache);
        assert_eq!(ended.stderr, "", "the helper has nothing to say");
        ended.succeeds();
        let source = self.modules(cache).join(MODULE).join("private.go");
        assert!(source.exists(), "the module is there");
    }

    fn token_requests(&self) -> usize {
        self.world.sandbox.token_requests()
    }

    /// The number of requests with a refused token.
    fn refused(&mut self) -> usize {
        let shown = self.resource.tokens_shown();
        shown.iter().filter(|it| it.ends_with("refused")).count()
    }
}

#[test]
fn go_downloads_a_private_module_with_the_published_environment() {
    let mut scene = Fixture::new();

    scene.downloads("one");
    scene.downloads("two");

    assert_eq!(
        scene.token_requests(),
        1,
        "the second process gets it from the cache"
    );
    let record = scene.resource.record();
    assert!(!record.is_empty());
    assert!(
        record.iter().all(|asked| asked.accepted == Some(true)),
        "go has the token before its first request: {record:?}"
    );
}

#[test]
fn a_revoked_token_is_replaced_while_go_runs() {
    let mut scene = Fixture::new();
    scene.downloads("one");
    revoke_tokens(&scene.world);

    scene.downloads("two");

    assert_eq!(scene.token_requests(), 2, "one request for the new token");
    assert_eq!(scene.refused(), 1, "the revoked token is sent once");
    scene.downloads("three");
    assert_eq!(scene.token_requests(), 2, "the new token is kept");
    assert_eq!(scene.refused(), 1);
}

#[test]
fn a_module_that_is_not_there_costs_no_token_request() {
    let scene = Fixture::new();
    scene.downloads("one");

    for _ in 0..2 {
        let absent = ["list", "-m", "-versions", "go.acme.internal/absent"];
        let stderr = run(&scene.world, &mut scene.go("one", &absent)).fails();
        assert!(stderr.contains("404"), "{stderr}");
    }

    assert_eq!(
        scene.token_requests(),
        1,
        "go requests the token again after every 4xx, and a 404 does not mean an invalid token"
    );
}

#[test]
fn go_is_given_nothing_for_a_host_that_is_no_profiles() {
    let mut scene = Fixture::new();
    configure(&scene.world, &["go.acme.internal"]);

    let stderr = scene.download("one").fails();

    assert!(stderr.contains("401"), "{stderr}");
    assert_eq!(scene.resource.tokens_shown(), Vec::<String>::new());
    assert_eq!(
        scene.token_requests(),
        1,
        "go does not pass the host, so the helper returns a token for the profile's hosts"
    );
}

#[test]
fn several_go_that_are_refused_at_once_are_one_token_request_more() {
    let mut scene = Fixture::new();
    scene.downloads("first");
    revoke_tokens(&scene.world);

    let caches = ["a", "b", "c", "d", "e", "f"];
    let download = |cache: &&str| scene.go(cache, &["mod", "download", MODULE]);
    let mut commands: Vec<Command> = caches.iter().map(download).collect();
    for ended in run_in_parallel(&scene.world, &mut commands) {
        ended.succeeds();
    }

    assert_eq!(scene.token_requests(), 2);
    assert!(
        scene.refused() >= 1,
        "at least one process used the revoked token"
    );
}

#[test]
fn a_proxy_that_refuses_every_token_costs_go_one_token_request_a_minute() {
    let world = world();
    let another = Sandbox::builder().no_rate_limit().start();
    let resource = Resource::verified_by(&world, &another, Challenge::Bearer);
    resource.configure(&world);
    let scene = Fixture::with(world, resource);

    for _ in 0..3 {
        scene.download("one").fails();
    }
    assert_eq!(scene.token_requests(), 2, "the first, and one for the 401");

    scene.world.advance(Duration::from_secs(61));
    for _ in 0..3 {
        scene.download("one").fails();
    }
    assert_eq!(scene.token_requests(), 3, "a minute later one more");
}

#[test]
fn without_a_token_go_goes_on_and_tells_why_with_x() {
    let mut scene = Fixture::new();
    spoil_secret(&scene.world);

    let stderr = scene.download("one").fails();
    assert!(stderr.contains("401"), "{stderr}");
    assert!(
        !stderr.contains("cloudconnexa-auth: "),
        "go does not print it: {stderr}"
    );

    let stderr = run(
        &scene.world,
        &mut scene.go("one", &["mod", "download", "-x", MODULE]),
    );
    let stderr = stderr.fails();
    assert!(stderr.contains("cloudconnexa-auth: error: "), "{stderr}");
    assert_eq!(scene.resource.tokens_shown(), Vec::<String>::new());
}
