//! skopeo and the docker CLI (no daemon), with docker-registry as the server. It has TLS and a
//! password file whose password is the access token.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::clients::integration_files::{bash, drop_the_token, patient, place, started, watched};
use crate::clients::{
    configure, links, preinstalled, run, run_with_stdin, spoil_secret, tool, trust, world,
};
use crate::harness::World;

/// docker-registry; it ends with the test.
struct Registry {
    child: Child,
    /// Kept open: the registry ends if its log cannot be written.
    _log: BufReader<ChildStderr>,
    /// `127.0.0.1:PORT`
    authority: String,
}

impl Registry {
    /// A registry that accepts the users in the password file `users`; without a file it accepts
    /// everyone.
    fn start(world: &World, users: Option<&str>) -> Self {
        let folder = world.path("registry");
        fs::create_dir_all(&folder).unwrap();
        make_certificate(&folder);
        let mut settings = "version: 0.1\nlog: {level: info, accesslog: {disabled: true}}\n\
             storage: {inmemory: {}}\n\
             http: {addr: \"127.0.0.1:0\", tls: {certificate: server.pem, key: server.key}}\n"
            .to_owned();
        if let Some(users) = users {
            fs::write(folder.join("users"), users).unwrap();
            settings.push_str("auth: {htpasswd: {realm: acme, path: users}}\n");
        }
        fs::write(folder.join("settings.yml"), settings).unwrap();
        let mut child = Command::new(tool("docker-registry"))
            .args(["serve", "settings.yml"])
            .current_dir(&folder)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        let authority = loop {
            let read = log.read_line(&mut told).unwrap();
            assert_ne!(read, 0, "docker-registry has ended: {told}");
            if let Some((_, rest)) = told.split_once("listening on ") {
                break rest.split([',', '"']).next().unwrap().to_owned();
            }
        };
        trust(world, &[folder.join("ca.pem")]);
        Self {
            child,
            _log: log,
            authority,
        }
    }

    fn image(&self) -> String {
        format!("{}/office/tools:1", self.authority)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // A panic here would hide the first one.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn make_certificate(folder: &Path) {
    let make = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/certificate.sh");
    assert!(Command::new(make).arg(folder).status().unwrap().success());
}

/// A line of a password file. The registry supports only bcrypt, which hashes only the first 72
/// bytes of a password.
fn password_line(world: &World, user: &str, password: &str) -> String {
    assert!(password.len() <= 72, "the whole token is checked");
    let mut htpasswd = patient(world, tool("htpasswd"));
    htpasswd.args(["-n", "-i", "-B", "-C", "4", user]);
    run_with_stdin(world, &mut htpasswd, password).succeeds()
}

/// A password that is not from this program.
const FOREIGN: &str = "a password of somebody else";

/// A home with `docker/config.json`, and a registry that accepts the token as password of `oauth2`,
/// and one more user.
fn guarded() -> (World, Registry) {
    let world = world();
    configure(&world, &[]);
    let users = password_line(&world, "oauth2", &world.token())
        + &password_line(&world, "somebody", FOREIGN);
    let registry = Registry::start(&world, Some(&users));
    configure(&world, &[&registry.authority]);
    links(&world);
    place_config(&world, &registry);
    // The result must not depend on a daemon on this machine.
    let nowhere = world.path("no-daemon.sock");
    world.set("DOCKER_HOST", &format!("unix://{}", nowhere.display()));
    (world, registry)
}

/// The files that docker and skopeo read first. skopeo's directory is not the one of this machine.
fn config_files(world: &World) -> [PathBuf; 2] {
    let runtime = world.path("run");
    world.set("XDG_RUNTIME_DIR", runtime.to_str().unwrap());
    [
        world.home().join(".docker/config.json"),
        runtime.join("containers/auth.json"),
    ]
}

fn place_config(world: &World, registry: &Registry) {
    let hosts = [("registry.acme.internal", registry.authority.as_str())];
    for to in config_files(world) {
        place(world, "docker/config.json", &to, &hosts);
    }
}

/// skopeo with its cache of blobs in the test's home. For root the cache would be in
/// `/var/lib/containers`, unless this variable of containers/storage names another user.
fn skopeo(world: &World) -> Command {
    let mut command = watched(world, tool("skopeo"));
    command.env("_CONTAINERS_ROOTLESS_UID", "1000");
    command
}

/// Copies an image without layers into the registry.
fn push(world: &World, registry: &Registry) -> Command {
    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/docker-image");
    let mut command = skopeo(world);
    command.args(["--insecure-policy", "copy"]);
    command.arg(format!("dir:{}", image.display()));
    command.arg(format!("docker://{}", registry.image()));
    command
}

fn skopeo_inspect(world: &World, registry: &Registry) -> Command {
    let mut command = skopeo(world);
    command.arg("inspect");
    command.arg(format!("docker://{}", registry.image()));
    command
}

/// How often the last watched client has started the helper.
#[track_caller]
fn helper_runs(world: &World) -> usize {
    let runs = started(world);
    let is_helper = |line: &&String| line.contains("docker-credential-cloudconnexa");
    runs.iter().filter(is_helper).count()
}

#[test]
fn skopeo_writes_and_reads_an_image_with_the_token_as_password() {
    let (world, registry) = guarded();

    run(&world, &mut push(&world, &registry)).succeeds();
    assert_eq!(helper_runs(&world), 1);
    let image = run(&world, &mut skopeo_inspect(&world, &registry));

    let image = image.without_token(&world).succeeds();
    assert!(image.contains("office/tools"), "{image}");
    assert_eq!(world.sandbox.token_requests(), 1, "one request for all");
}

#[test]
fn docker_reads_a_manifest_with_the_token_as_password() {
    let Some(docker) = preinstalled("docker") else {
        return;
    };
    let (world, registry) = guarded();
    run(&world, &mut push(&world, &registry)).succeeds();

    let mut inspect = watched(&world, docker);
    inspect.args(["manifest", "inspect", &registry.image()]);
    let manifest = run(&world, &mut inspect).without_token(&world).succeeds();

    assert!(manifest.contains("schemaVersion"), "{manifest}");
    assert!(helper_runs(&world) >= 1);
}

#[test]
fn skopeo_takes_the_helper_from_registries_conf_for_every_registry() {
    let (world, registry) = guarded();
    for file in config_files(&world) {
        fs::remove_file(file).unwrap();
    }
    run(&world, &mut push(&world, &registry)).fails();
    assert_eq!(helper_runs(&world), 0, "nothing names it");
    let to = world.home().join("registries.conf");
    place(&world, "docker/registries.conf", &to, &[]);
    let mut push = push(&world, &registry);
    push.args(["--registries-conf", "registries.conf"]);

    run(&world, &mut push).succeeds();

    assert_eq!(helper_runs(&world), 1);
}

#[test]
fn a_registry_that_is_not_ours_is_asked_without_a_credential() {
    let world = world();
    let registry = Registry::start(&world, None);
    configure(&world, &["registry.acme.internal"]);
    links(&world);
    place_config(&world, &registry);

    run(&world, &mut push(&world, &registry)).succeeds();
    assert!(helper_runs(&world) >= 1, "the helper is started");
    run(&world, &mut skopeo_inspect(&world, &registry)).succeeds();

    assert_eq!(world.sandbox.requests(), [], "no token request is sent");
}

#[test]
fn where_there_is_no_token_skopeo_fails_with_the_reason() {
    let (world, registry) = guarded();
    drop_the_token(&world);
    spoil_secret(&world);

    let stderr = run(&world, &mut skopeo_inspect(&world, &registry)).fails();

    assert!(
        stderr.contains("refused the credentials of profile `prod`"),
        "{stderr}"
    );
}

#[test]
fn where_there_is_no_token_docker_goes_on_without_and_is_refused() {
    let Some(docker) = preinstalled("docker") else {
        return;
    };
    let (world, registry) = guarded();
    drop_the_token(&world);
    spoil_secret(&world);

    let mut inspect = patient(&world, docker);
    inspect.args(["manifest", "inspect", &registry.image()]);
    let ended = run(&world, &mut inspect);

    let says = "cloudconnexa-auth: error: ";
    assert!(ended.stderr.contains(says), "the reason: {}", ended.story());
    ended.fails();
}

#[test]
fn docker_login_with_our_own_token_is_silent_and_a_foreign_secret_is_refused() {
    if preinstalled("docker").is_none() {
        return;
    }
    let (world, registry) = guarded();
    let host = &registry.authority;
    let config = world.home().join(".docker/config.json");
    let before = fs::read_to_string(&config).unwrap();

    let own = format!("cloudconnexa-auth token | docker login -u oauth2 --password-stdin {host}");
    let ended = bash(&world, &own);
    assert_eq!(ended.stderr, "", "no warning of a password in a file");
    assert!(ended.succeeds().contains("Login Succeeded"));

    let foreign = format!("echo '{FOREIGN}' | docker login -u somebody --password-stdin {host}");
    let ended = bash(&world, &foreign);
    let told = format!("{}{}", ended.stdout, ended.stderr);
    ended.fails();
    assert!(told.contains("cloudconnexa-auth"), "{told}");
    let after = fs::read_to_string(&config).unwrap();
    assert_eq!(
        after.contains(FOREIGN),
        before.contains(FOREIGN),
        "docker does not fall back to a file"
    );
}

#[test]
fn docker_login_sends_back_what_it_was_given_and_that_is_silent() {
    let Some(docker) = preinstalled("docker") else {
        return;
    };
    let (world, registry) = guarded();

    // It still ends with an error: without a user name it needs a daemon.
    let mut login = watched(&world, docker);
    let ended = run(&world, login.args(["login", &registry.authority]));

    let helper = "\"docker-credential-cloudconnexa\", \"store\"";
    assert!(
        started(&world).iter().any(|line| line.contains(helper)),
        "{}",
        ended.story()
    );
    let told = ended.without_token(&world).stderr;
    assert!(!told.contains("cloudconnexa-auth"), "{told}");
}

#[test]
fn logging_out_succeeds_and_drops_nothing() {
    let (world, registry) = guarded();
    let host = registry.authority.as_str();

    if let Some(docker) = preinstalled("docker") {
        run(&world, patient(&world, docker).args(["logout", host])).succeeds();
    }
    run(
        &world,
        patient(&world, tool("skopeo")).args(["logout", host]),
    )
    .succeeds();

    place_config(&world, &registry);
    run(&world, &mut push(&world, &registry)).succeeds();
    assert_eq!(
        world.sandbox.token_requests(),
        1,
        "other tools use the token"
    );
}
