//! Real pnpm with the published `npmrc`, and a registry that verifies every token.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::clients::{
    Ended, Resource, client, guarded, links, published, revoke_tokens, run, spoil_secret, tool,
    write_program,
};
use crate::harness::World;

const HELPER: &str = "/usr/local/bin/pnpm-credential-cloudconnexa";

struct Fixture {
    world: World,
    resource: Resource,
}

impl Fixture {
    fn new() -> Self {
        let (world, resource) = guarded();
        let helper = links(&world).join("pnpm-credential-cloudconnexa");
        let scene = Self { world, resource };
        let npmrc = scene.npmrc(helper.to_str().unwrap());
        fs::write(scene.world.home().join(".npmrc"), npmrc).unwrap();
        fs::create_dir(scene.project()).unwrap();
        let package = "{\"dependencies\": {\"@acme/private\": \"1.0.0\"}}";
        fs::write(scene.project().join("package.json"), package).unwrap();
        scene
    }

    /// The published file for this registry, and the CA certificates: pnpm ignores
    /// `NODE_EXTRA_CA_CERTS`.
    fn npmrc(&self, helper: &str) -> String {
        let host = format!("{}/npm", self.resource.authority());
        let text = published(
            "pnpm/npmrc",
            &[("npm.acme.internal", &host), (HELPER, helper)],
        );
        let bundle = self.world.path("bundle.pem");
        format!("{text}cafile={}\n", bundle.display())
    }

    fn project(&self) -> PathBuf {
        self.world.path("project")
    }

    fn installed(&self) -> PathBuf {
        self.project().join("node_modules/@acme/private/index.js")
    }

    fn install(&self) -> Ended {
        let mut command: Command = client(&self.world, tool("pnpm"));
        command
            .arg("install")
            .current_dir(self.project())
            // Otherwise it asks the public registry for a newer pnpm, and waits before retries.
            .env("npm_config_update_notifier", "false")
            .env("npm_config_fetch_retries", "0");
        run(&self.world, &mut command)
    }

    fn token_requests(&self) -> usize {
        self.world.sandbox.token_requests()
    }
}

#[test]
fn pnpm_installs_a_private_package_with_the_published_npmrc() {
    let mut scene = Fixture::new();

    let ended = scene.install();

    assert_eq!(ended.stderr, "", "the helper has nothing to say");
    ended.succeeds();
    assert!(scene.installed().exists());
    assert_eq!(scene.token_requests(), 1);
    let record = scene.resource.record();
    assert!(record.len() >= 2, "the package and its archive: {record:?}");
    for asked in record {
        assert_eq!(
            (asked.scheme.as_deref(), asked.accepted),
            (Some("Bearer"), Some(true)),
            "{}",
            asked.path
        );
    }
}

#[test]
fn the_published_wrapper_gives_pnpm_the_token_of_another_profile() {
    let mut scene = Fixture::new();
    let prod = fs::read_to_string(scene.world.config()).unwrap();
    scene.world.write_config(&format!(
        "default_profile = \"lab\"\n{prod}[profiles.lab]\ncloud_id = \"lab\"\n\
         client_id = \"LAB.lab\"\nclient_secret = {{ env = \"LAB_CLIENT_SECRET\" }}\n"
    ));
    let helper = scene.world.path("pnpm-credential-cloudconnexa-prod");
    write_program(
        &helper,
        &published("pnpm/pnpm-credential-cloudconnexa-prod", &[]),
    );
    let npmrc = scene.npmrc(helper.to_str().unwrap());
    fs::write(scene.world.home().join(".npmrc"), npmrc).unwrap();

    scene.install().succeeds();

    assert!(scene.installed().exists());
    let shown = scene.resource.tokens_shown();
    assert!(shown.iter().all(|it| it == "Bearer accepted"), "{shown:?}");
}

#[test]
fn pnpm_stops_where_there_is_no_token() {
    let mut scene = Fixture::new();
    spoil_secret(&scene.world);

    let ended = scene.install();

    let told = ended.story();
    ended.fails();
    assert!(
        told.contains("ERR_PNPM_TOKEN_HELPER_ERROR_STATUS"),
        "{told}"
    );
    assert_eq!(scene.resource.record(), [], "no request is sent without it");
    assert!(!scene.installed().exists());
}

#[test]
fn a_refused_token_fails_pnpm_until_it_is_dropped_by_hand() {
    let mut scene = Fixture::new();
    scene.world.token();
    revoke_tokens(&scene.world);

    let ended = scene.install();
    let told = ended.story();
    ended.fails();
    assert!(told.contains("ERR_PNPM_FETCH_401"), "{told}");
    assert_eq!(scene.resource.tokens_shown(), ["Bearer refused"]);
    assert_eq!(scene.token_requests(), 1, "pnpm does not report it");

    let erase = scene.world.run(["erase"]);
    erase.stdin("{\"profile\": \"prod\"}").succeeds();
    scene.install().succeeds();
    assert_eq!(scene.token_requests(), 2);
}

#[test]
fn pnpm_runs_no_helper_that_a_project_names() {
    let mut scene = Fixture::new();
    let npmrc = scene.world.home().join(".npmrc");
    fs::rename(npmrc, scene.project().join(".npmrc")).unwrap();

    scene.install().fails();

    assert_eq!(scene.token_requests(), 0);
    assert_eq!(scene.resource.tokens_shown(), Vec::<String>::new());
}
