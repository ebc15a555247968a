//! Real kubectl with the published kubeconfig, directly against the sandbox: `get --raw` needs only
//! an HTTPS server that accepts Bearer tokens.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::clients::{
    Challenge, Ended, Resource, client, configure, links, preinstalled, published, revoke_tokens,
    run, run_in_parallel, spoil_secret, world,
};
use crate::harness::World;

const SERVER: &str = "https://acme.api.openvpn.com";

struct Fixture {
    world: World,
    kubectl: PathBuf,
}

impl Fixture {
    /// Returns `None` if kubectl is not installed.
    fn new() -> Option<Self> {
        let kubectl = preinstalled("kubectl")?;
        let world = world();
        configure(&world, &[]);
        links(&world);
        let scene = Self { world, kubectl };
        scene.use_kubeconfig(&[(SERVER, scene.world.sandbox.base_url())]);
        Some(scene)
    }

    fn use_kubeconfig(&self, replaced: &[(&str, &str)]) {
        let text = published("kubectl/kubeconfig", replaced);
        fs::write(self.world.path("kubeconfig"), text).unwrap();
    }

    fn kubectl(&self) -> Command {
        let mut command = client(&self.world, &self.kubectl);
        command
            .arg("--kubeconfig")
            .arg(self.world.path("kubeconfig"))
            .args(["get", "--raw", "/api/v1/networks"]);
        command
    }

    fn networks(&self) -> Ended {
        run(&self.world, &mut self.kubectl())
    }

    #[track_caller]
    fn reads_networks(&self) {
        let ended = self.networks();
        assert_eq!(ended.stderr, "", "the helper has nothing to say");
        let networks: serde_json::Value = serde_json::from_str(&ended.succeeds()).unwrap();
        assert!(!networks["content"].as_array().unwrap().is_empty());
    }

    fn token_requests(&self) -> usize {
        self.world.sandbox.token_requests()
    }

    /// The response statuses of the sandbox's API.
    fn statuses(&self) -> Vec<Option<u16>> {
        let requests = self.world.sandbox.requests().into_iter();
        let of_api = requests.filter(|it| it.path == "/api/v1/networks");
        of_api.map(|it| it.status).collect()
    }
}

#[test]
fn kubectl_reads_the_api_with_the_published_kubeconfig() {
    let Some(scene) = Fixture::new() else { return };

    scene.reads_networks();
    scene.reads_networks();

    assert_eq!(
        scene.token_requests(),
        1,
        "the second process gets it from the cache"
    );
    assert_eq!(scene.statuses(), [Some(200), Some(200)]);
}

#[test]
fn kubectl_is_answered_in_the_version_it_asks_in_and_with_or_without_the_server() {
    let Some(scene) = Fixture::new() else { return };
    let server = (SERVER, scene.world.sandbox.base_url());
    let beta = ("k8s.io/v1", "k8s.io/v1beta1");
    let silent = ("        provideClusterInfo: true\n", "");
    for replaced in [
        &[server, beta][..],
        &[server, silent],
        &[server, beta, silent],
        // The older version does not have this line.
        &[server, beta, ("        interactiveMode: Never\n", "")],
    ] {
        scene.use_kubeconfig(replaced);

        scene.reads_networks();
    }
    assert_eq!(scene.token_requests(), 1);
}

#[test]
fn kubectl_is_given_the_token_of_the_profile_that_the_server_is_of() {
    let Some(scene) = Fixture::new() else { return };
    let prod = scene.world.profile_text("prod");
    scene.world.write_config(&format!(
        "default_profile = \"lab\"\n{prod}[profiles.lab]\ncloud_id = \"lab\"\n\
         client_id = \"LAB.lab\"\nclient_secret = {{ file = \"prod.secret\" }}\n"
    ));

    scene.reads_networks();
}

#[test]
fn kubectl_gets_no_token_for_a_server_that_is_no_profiles() {
    let Some(scene) = Fixture::new() else { return };
    let mut foreign = Resource::start(&scene.world, Challenge::Bearer);
    scene.use_kubeconfig(&[(SERVER, foreign.url())]);

    let stderr = scene.networks().fails();

    assert!(
        stderr.contains("cloudconnexa-auth: error: ") && stderr.contains(foreign.authority()),
        "the reason is reported: {stderr}"
    );
    assert_eq!(foreign.tokens_shown(), Vec::<String>::new());
    assert_eq!(scene.token_requests(), 0, "nor is one requested");
}

#[test]
fn without_cluster_info_kubectl_takes_the_token_wherever_the_kubeconfig_says() {
    let Some(scene) = Fixture::new() else { return };
    let mut foreign = Resource::start(&scene.world, Challenge::Bearer);
    let silent = ("        provideClusterInfo: true\n", "");
    scene.use_kubeconfig(&[(SERVER, foreign.url()), silent]);

    scene.networks().fails();

    // This is not the desired result: without that line kubectl does not report the server.
    // Therefore the published file has the line, and its page warns of files that do not.
    let shown = foreign.tokens_shown();
    assert!(
        shown.iter().any(|it| it == "Bearer accepted"),
        "if kubectl now passes the server, remove the warning of the page: {shown:?}"
    );
}

#[test]
fn kubectl_gets_no_token_for_a_server_that_it_does_not_verify() {
    let Some(scene) = Fixture::new() else { return };
    let server = scene.world.sandbox.base_url().to_owned();
    let unverified = format!("{server}\n      insecure-skip-tls-verify: true");
    scene.use_kubeconfig(&[(SERVER, &unverified)]);

    let stderr = scene.networks().fails();

    assert!(stderr.contains("insecure-skip-tls-verify"), "{stderr}");
    assert_eq!(scene.statuses(), [], "it could have been any server");
    assert_eq!(scene.token_requests(), 0);
}

#[test]
fn a_refused_token_fails_kubectl_until_it_is_dropped_by_hand() {
    let Some(scene) = Fixture::new() else { return };
    scene.reads_networks();
    revoke_tokens(&scene.world);

    for _ in 0..2 {
        let stderr = scene.networks().fails();
        assert!(stderr.contains("You must be logged in"), "{stderr}");
    }
    assert_eq!(
        scene.token_requests(),
        1,
        "kubectl does not report that the token was refused"
    );

    let erase = scene.world.run(["erase"]);
    erase.stdin("{\"profile\": \"prod\"}").succeeds();
    scene.reads_networks();
    assert_eq!(scene.token_requests(), 2);
}

#[test]
fn an_expired_token_is_not_shown_by_kubectl() {
    let Some(scene) = Fixture::new() else { return };
    scene.reads_networks();

    scene.world.advance(Duration::from_secs(13 * 3600));
    scene.reads_networks();

    assert_eq!(scene.token_requests(), 2);
    assert_eq!(scene.statuses(), [Some(200), Some(200)]);
}

#[test]
fn kubectl_shows_why_there_is_no_token() {
    let Some(scene) = Fixture::new() else { return };
    spoil_secret(&scene.world);

    let stderr = scene.networks().fails();

    assert!(
        stderr.contains("cloudconnexa-auth: error: ") && stderr.contains("(401"),
        "{stderr}"
    );
    let asked = scene.token_requests();
    scene.networks().fails();
    assert_eq!(
        scene.token_requests(),
        asked,
        "a refused request is not repeated"
    );
    assert_eq!(scene.statuses(), [], "without a token there is no request");
}

#[test]
fn eight_kubectl_at_once_are_one_token_request() {
    let Some(scene) = Fixture::new() else { return };
    let mut commands: Vec<Command> = (0..8).map(|_| scene.kubectl()).collect();

    for ended in run_in_parallel(&scene.world, &mut commands) {
        ended.succeeds();
    }

    assert_eq!(scene.token_requests(), 1);
    assert_eq!(scene.statuses(), [Some(200); 8]);
}
