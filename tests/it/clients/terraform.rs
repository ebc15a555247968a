//! Real terraform with the published files, and a module registry that verifies every token. The
//! provider `external` cannot be installed here; a function calls the program in the same way.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::clients::{
    Challenge, Ended, Resource, client, configure, links, preinstalled, published, revoke_tokens,
    run, run_with_stdin, spoil_secret, world, write_program,
};
use crate::harness::{PROGRAM, World};

const REGISTRY: &str = "registry.acme.internal";
const API: &str = "https://acme.api.openvpn.com";
/// The token that the registry's login gives, see `tests/servers/resource/terraform.py`.
const TOKEN_OF_LOGIN: &str = "token-of-a-person";

/// terraform with the credentials helper in its directory, and a module of a private registry.
struct Fixture {
    world: World,
    resource: Resource,
    terraform: PathBuf,
}

impl Fixture {
    /// Returns `None` if terraform is not installed.
    fn new() -> Option<Self> {
        Self::with_helper("terraform-credentials-cloudconnexa")
    }

    fn with_helper(name: &str) -> Option<Self> {
        let terraform = preinstalled("terraform")?;
        let world = world();
        let resource = Resource::start(&world, Challenge::Bearer);
        let scene = Self {
            world,
            resource,
            terraform,
        };
        configure(&scene.world, &[&scene.host()]);
        let plugins = scene.world.home().join(".terraform.d/plugins");
        fs::create_dir_all(&plugins).unwrap();
        std::os::unix::fs::symlink(PROGRAM, plugins.join(name)).unwrap();
        let cli = published("terraform/terraformrc", &[]);
        fs::write(scene.world.home().join(".terraformrc"), cli).unwrap();
        let module = published("terraform/registry/main.tf", &[(REGISTRY, &scene.host())]);
        fs::create_dir(scene.project()).unwrap();
        fs::write(scene.project().join("main.tf"), module).unwrap();
        Some(scene)
    }

    /// The registry's host for terraform, which takes a name without a dot as a directory.
    fn host(&self) -> String {
        self.resource.authority().replace("localhost", "127.0.0.1")
    }

    fn project(&self) -> PathBuf {
        self.world.path("project")
    }

    fn terraform(&self, arguments: &[&str]) -> Command {
        let mut command = terraform(&self.world, &self.terraform);
        command.current_dir(self.project()).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(&self.world, &mut self.terraform(arguments))
    }

    /// Runs `terraform init` without any cached data.
    fn init(&self) -> Ended {
        drop(fs::remove_dir_all(self.project().join(".terraform")));
        self.run(&["init", "-no-color"])
    }

    fn token_requests(&self) -> usize {
        self.world.sandbox.token_requests()
    }
}

/// terraform with only the configuration in the home.
fn terraform(world: &World, program: &Path) -> Command {
    let mut command = client(world, program);
    command.env("CHECKPOINT_DISABLE", "1");
    command
}

#[test]
fn terraform_installs_a_private_module_with_the_published_configuration() {
    let Some(mut scene) = Fixture::new() else {
        return;
    };

    scene.init().succeeds();
    scene.init().succeeds();

    assert_eq!(
        scene.token_requests(),
        1,
        "the second process gets it from the cache"
    );
    for asked in scene.resource.record() {
        let is_archive = asked.path.contains("/archives/");
        let expected = if is_archive { None } else { Some(true) };
        assert_eq!(
            asked.accepted, expected,
            "the registry gets the token, the archive's own address does not: {}",
            asked.path
        );
    }
    let module = scene.project().join(".terraform/modules/network/main.tf");
    assert!(module.exists(), "the module is there");
}

#[test]
fn the_helper_works_under_a_name_with_a_version_and_with_flags_in_front_of_the_verb() {
    let name = "terraform-credentials-cloudconnexa_v1.2.3";
    let Some(scene) = Fixture::with_helper(name) else {
        return;
    };

    let flags = "{ args = [\"--profile\", \"prod\", \"--min-ttl\", \"30m\"] }";
    let cli = published("terraform/terraformrc", &[("{}", flags)]);
    fs::write(scene.world.home().join(".terraformrc"), cli).unwrap();

    scene.init().succeeds();

    assert_eq!(scene.token_requests(), 1);
}

#[test]
fn terraform_gets_no_token_for_a_registry_that_is_no_profiles() {
    let Some(mut scene) = Fixture::new() else {
        return;
    };
    configure(&scene.world, &[REGISTRY]);

    let ended = scene.init();

    let story = ended.story();
    assert!(ended.fails().contains("401 Unauthorized"), "{story}");
    assert!(!story.contains("cloudconnexa-auth:"), "{story}");
    assert_eq!(scene.resource.tokens_shown(), Vec::<String>::new());
    assert_eq!(scene.token_requests(), 0);
}

#[test]
fn without_a_token_terraform_goes_on_and_tells_why_in_its_log_only() {
    let Some(mut scene) = Fixture::new() else {
        return;
    };
    spoil_secret(&scene.world);

    let ended = scene.init();
    let story = ended.story();
    assert!(ended.fails().contains("401 Unauthorized"), "{story}");
    assert!(!story.contains("cloudconnexa-auth:"), "{story}");
    assert_eq!(scene.resource.tokens_shown(), Vec::<String>::new());
    let asked = scene.token_requests();

    let mut init = scene.terraform(&["init", "-no-color"]);
    let stderr = run(&scene.world, init.env("TF_LOG", "debug")).fails();
    assert!(stderr.contains("cloudconnexa-auth: error: "), "{stderr}");
    let told = scene
        .world
        .run(["terraform", "get", &scene.host()])
        .fails(4);
    assert!(told.contains("(401 invalid_client)"), "{told}");
    assert_eq!(
        scene.token_requests(),
        asked,
        "a refused request is not repeated"
    );
}

#[test]
fn a_refused_token_fails_terraform_until_it_is_dropped_by_hand() {
    let Some(mut scene) = Fixture::new() else {
        return;
    };
    scene.init().succeeds();
    revoke_tokens(&scene.world);

    scene.init().fails();
    assert_eq!(scene.token_requests(), 1, "terraform does not report it");

    let erase = scene.world.run(["erase"]);
    erase.stdin("{\"profile\": \"prod\"}").succeeds();
    scene.init().succeeds();
    assert_eq!(scene.token_requests(), 2);
    let shown = scene.resource.tokens_shown();
    assert_eq!(shown.last().unwrap(), "Bearer accepted", "{shown:?}");
}

#[test]
fn terraform_is_given_a_new_token_in_the_last_half_of_the_old_ones_life() {
    let Some(scene) = Fixture::new() else { return };
    scene.init().succeeds();

    scene.world.advance(Duration::from_secs(5 * 3600));
    scene.init().succeeds();
    assert_eq!(scene.token_requests(), 1, "seven of twelve hours are left");

    scene.world.advance(Duration::from_secs(2 * 3600));
    scene.init().succeeds();
    assert_eq!(
        scene.token_requests(),
        2,
        "terraform requests it once and may run for hours"
    );
}

#[test]
fn terraform_logout_succeeds_and_drops_nothing() {
    let Some(scene) = Fixture::new() else { return };
    scene.init().succeeds();

    for _ in 0..2 {
        let host = scene.host();
        let ended = scene.run(&["logout", "-no-color", &host]);
        assert_eq!(ended.stderr, "", "{}", ended.story());
        let stdout = ended.succeeds();
        assert!(stdout.contains("Success!"), "{stdout}");
    }

    scene.init().succeeds();
    assert_eq!(
        scene.token_requests(),
        1,
        "other processes keep their token"
    );
}

#[test]
fn terraform_login_is_told_that_a_persons_token_is_not_kept() {
    let Some(scene) = Fixture::new() else { return };
    scene.world.watch(TOKEN_OF_LOGIN);
    let host = scene.host();
    let mut command = scene.terraform(&["login", "-no-color", &host]);
    let mut login = Started(
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut stdin = login.0.stdin.take().unwrap();
    stdin.write_all(b"yes\n").unwrap();
    let mut stdout = BufReader::new(login.0.stdout.take().unwrap());

    // Acts as the browser: the login page redirects to the address on which terraform listens.
    let mut line = String::new();
    while !line.contains("redirect_uri=") {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "no address");
    }
    let parameter = |name: &str| {
        let value = line.split(&format!("{name}=")).nth(1).unwrap();
        value.split('&').next().unwrap().trim().to_owned()
    };
    let back = parameter("redirect_uri")
        .replace("%3A", ":")
        .replace("%2F", "/");
    let state = parameter("state");
    // terraform may exit before its page is read; the assertions below show that it has the code.
    drop(ureq::get(format!("{back}?code=any&state={state}")).call());

    let mut told = String::new();
    let mut stderr = login.0.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut stderr, &mut told).unwrap();
    assert!(!login.0.wait().unwrap().success(), "{told}");
    assert!(
        told.contains("cloudconnexa-auth: error: "),
        "the user must not believe that it was saved: {told}"
    );
    scene.world.check_files();
    assert!(!told.contains(TOKEN_OF_LOGIN), "{told}");
}

/// A client that is ended with the test, also if the test fails.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn store_of_our_own_token_is_silent_as_terraform_wants_it() {
    let world = world();
    configure(&world, &[REGISTRY]);
    let token = world.token();
    // Terraform's own format: no newline at the end.
    let own = json!({ "token": token }).to_string();
    let run = world.run(["terraform", "store", REGISTRY]).stdin(own);

    assert_eq!(run.succeeds(), "");
}

/// The line of the published page that starts terraform through `exec` with this flag, in a shell.
fn through_exec(world: &World, flag: &str, replaced: &[(&str, &str)]) -> Command {
    let page = published("terraform/README.md", replaced);
    let line = page.lines().find(|line| {
        line.starts_with("cloudconnexa-auth exec ") && line.contains(&format!(" {flag} "))
    });
    let mut command = terraform(world, Path::new("bash"));
    command.arg("-c").arg(format!("{} \"$@\"", line.unwrap()));
    command.arg("bash");
    command
}

#[test]
fn the_published_command_gives_terraform_an_ephemeral_token_that_no_state_holds() {
    let Some(terraform_program) = preinstalled("terraform") else {
        return;
    };
    let world = world();
    configure(&world, &[]);
    let bin = links(&world);
    std::os::unix::fs::symlink(&terraform_program, bin.join("terraform")).unwrap();
    let replaced = [(API, world.sandbox.base_url())];
    let project = world.path("project");
    fs::create_dir(&project).unwrap();
    let text = published("terraform/ephemeral/main.tf", &replaced);
    fs::write(project.join("main.tf"), text).unwrap();

    let mut init = terraform(&world, &terraform_program);
    run(&world, init.current_dir(&project).arg("init")).succeeds();
    let mut apply = through_exec(&world, "--env", &replaced);
    apply.args(["-auto-approve", "-no-color"]);
    let stdout = run(&world, apply.current_dir(&project)).succeeds();

    let networks = fs::read_to_string(project.join("networks.json")).unwrap();
    let networks: Value = serde_json::from_str(&networks).unwrap();
    assert!(
        networks["content"].is_array(),
        "the command had the token: {networks}"
    );
    let (_, entry) = world.entry();
    let token = entry["token"]["access_token"].as_str().unwrap();
    let state = fs::read_to_string(project.join("terraform.tfstate")).unwrap();
    assert!(
        state.contains("terraform_data"),
        "this is the state: {state}"
    );
    assert!(!state.contains(token), "an ephemeral value is in no state");
    assert!(!stdout.contains(token), "nor is it shown: {stdout}");
    assert_eq!(world.sandbox.token_requests(), 1);
}

/// Installs a program as `terraform`. It records the values that the official provider would get,
/// which cannot be installed here.
fn note_taker(world: &World) -> PathBuf {
    let terraform = "#!/bin/sh\n\
        echo \"${CLOUDCONNEXA_CLIENT_ID-none} ${CLOUDCONNEXA_CLIENT_SECRET-none} $*\" > seen.secret\n";
    write_program(&links(world).join("terraform"), terraform);
    world.home().join("seen.secret")
}

#[test]
fn the_published_commands_do_not_start_terraform_without_a_token() {
    let world = world();
    configure(&world, &[]);
    let marker = note_taker(&world);
    spoil_secret(&world);

    for flag in ["--env", "--with-credentials"] {
        let replaced = [(API, world.sandbox.base_url())];
        let ended = run(&world, &mut through_exec(&world, flag, &replaced));

        assert_eq!(ended.code, Some(4), "{}", ended.story());
        assert!(!marker.exists());
    }
}

#[test]
fn the_published_command_gives_terraform_the_credentials_for_the_official_provider() {
    let world = world();
    configure(&world, &[]);
    let seen = note_taker(&world);
    let credential = world.sandbox.credential();
    let (id, secret) = (credential.client_id, credential.client_secret);

    run(
        &world,
        through_exec(&world, "--with-credentials", &[]).arg("-no-color"),
    )
    .succeeds();

    let found = fs::read_to_string(&seen).unwrap();
    assert_eq!(found, format!("{id} {secret} apply -no-color\n"));

    let replaced = [(API, world.sandbox.base_url())];
    run(&world, &mut through_exec(&world, "--env", &replaced)).succeeds();
    let found = fs::read_to_string(&seen).unwrap();
    assert_eq!(
        found, "none none apply\n",
        "the secret is passed only on request"
    );
}

/// The `program` and `query` of `data "external"` in the published file.
fn external() -> (Vec<String>, BTreeMap<String, String>) {
    let text = published("terraform/external/main.tf", &[]);
    let program = text
        .lines()
        .find_map(|it| it.trim().strip_prefix("program = "));
    // A list of strings has the same syntax in HCL and in JSON.
    let program = serde_json::from_str(program.unwrap()).unwrap();
    let query = text.split("query = {").nth(1).unwrap();
    let query = query.split('}').next().unwrap().trim().lines();
    let query = query.map(|line| {
        let (name, value) = line.split_once('=').unwrap();
        let value = value.trim().trim_matches('"');
        (name.trim().to_owned(), value.to_owned())
    });
    (program, query.collect())
}

/// Calls the program as the provider `external` 2.x does: no shell, found in PATH, the query as one
/// JSON object without a newline, the environment of the provider. An answer is only read after
/// exit code 0, and must be an object of strings; after any other exit code the user sees stderr.
#[track_caller]
fn call_external(world: &World, query: &BTreeMap<String, String>) -> Result<Value, String> {
    let (program, _) = external();
    let mut command = client(world, "env");
    command.args(program).env(
        "PLUGIN_CLIENT_CERT",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    );
    let ended = run_with_stdin(world, &mut command, &json!(query).to_string());
    if ended.code != Some(0) {
        assert_eq!(ended.stdout, "", "no partial answer");
        return Err(ended.stderr);
    }
    assert_eq!(ended.stderr, "");
    let result: Value = serde_json::from_str(&ended.stdout).unwrap();
    let members = result.as_object().unwrap();
    for (name, value) in members {
        assert!(value.is_string(), "{name} is not a string: {result}");
    }
    Ok(result)
}

#[test]
fn the_provider_external_is_given_texts_only() {
    let world = world();
    configure(&world, &[]);
    links(&world);
    let (_, query) = external();

    let result = call_external(&world, &query).unwrap();

    let token = world.token();
    assert_eq!(result["access_token"], token);
    assert_eq!(
        result["authorization"],
        format!("Bearer {token}"),
        "the keys that the published `locals` use"
    );
    assert_eq!(result["profile"], "prod");
    assert_eq!(result["base_url"], world.sandbox.base_url());
    let unix = result["expires_unix"].as_str().unwrap();
    assert!(unix.parse::<u64>().is_ok(), "{unix}");
    let without = call_external(&world, &BTreeMap::new()).unwrap();
    assert_eq!(
        without["access_token"], token,
        "a missing query is sent as an empty one"
    );
    assert_ne!(
        without["usable_until"], result["usable_until"],
        "the half hour of the published query applies"
    );
    assert_eq!(world.sandbox.token_requests(), 1);
}

#[test]
fn the_provider_external_shows_why_there_is_no_token() {
    let world = world();
    configure(&world, &[]);
    links(&world);
    let (_, mut query) = external();
    spoil_secret(&world);

    let shown = call_external(&world, &query).unwrap_err();
    assert!(shown.contains("(401 invalid_client)"), "{shown}");

    query.insert("profile".to_owned(), "prdo".to_owned());
    let shown = call_external(&world, &query).unwrap_err();
    assert!(shown.contains("profile `prdo` does not exist"), "{shown}");

    query.insert("porfile".to_owned(), "prod".to_owned());
    let shown = call_external(&world, &query).unwrap_err();
    assert!(shown.contains("porfile"), "{shown}");
}
