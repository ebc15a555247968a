//! Programs that prepare the environment of other programs: a systemd unit, direnv, an MCP client.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::clients::integration_files::{api_requests, bash, patient, place, recipe};
use crate::clients::{configure, links, run, run_with_stdin, spoil_secret, tool, trust, world};
use crate::harness::{World, write_private};

/// The unit and its files, in directories of this world.
struct Unit {
    world: World,
    text: String,
    /// Outside of the world, where only `*.secret` may contain a secret.
    credentials: TempDir,
}

impl Unit {
    fn new() -> Self {
        let world = world();
        trust(&world, &[]);
        let bin = links(&world);
        let etc = world.path("etc").display().to_string();
        let program = bin.join("networks-report");
        place(&world, "systemd/networks-report", &program, &[]);
        let client_id = world.sandbox.credential().client_id;
        let base_url = format!("base_url = \"{}\"", world.sandbox.base_url());
        let replacements = [
            ("cloud_id = \"acme\"", base_url.as_str()),
            ("CLIENT_ID.acme", &client_id),
        ];
        let config = world.path("etc/config.toml");
        place(&world, "systemd/config.toml", &config, &replacements);
        let secret = world.sandbox.credential().client_secret;
        write_private(&world.path("etc/prod.secret"), &secret);
        let replacements = [
            ("/etc/cloudconnexa", etc.as_str()),
            ("/usr/local/bin/networks-report", program.to_str().unwrap()),
        ];
        let text = recipe(&world, "systemd/networks-report.service", &replacements);
        let credentials = TempDir::new().unwrap();
        Self {
            world,
            text,
            credentials,
        }
    }

    /// The values of this key in the unit.
    fn values(&self, name: &str) -> Vec<&str> {
        let lines = self.text.lines();
        lines
            .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .collect()
    }

    /// `ExecStart`, with the things that systemd provides: the credentials, the cache directory (a
    /// link, as with `DynamicUser`), the environment.
    fn command(&self) -> Command {
        let world = &self.world;
        for credential in self.values("LoadCredential") {
            let (name, from) = credential.split_once(':').unwrap();
            fs::copy(from, self.credentials.path().join(name)).unwrap();
        }
        let cache = world.path("cache");
        for folder in self.values("CacheDirectory") {
            let private = cache.join("private").join(folder);
            fs::create_dir_all(&private).unwrap();
            std::os::unix::fs::symlink(&private, cache.join(folder)).unwrap();
        }
        let mut command = patient(world, self.values("ExecStart")[0]);
        command.env_remove("HOME").env_remove("XDG_CACHE_HOME");
        command.env("CREDENTIALS_DIRECTORY", self.credentials.path());
        for line in self.values("Environment") {
            let (name, value) = line.split_once('=').unwrap();
            command.env(name, value.replace("%C", cache.to_str().unwrap()));
        }
        command
    }
}

#[test]
fn systemd_finds_nothing_to_say_about_the_unit() {
    let unit = Unit::new();
    let file = unit.world.home().join("networks-report.service");
    fs::write(&file, &unit.text).unwrap();
    let mut analyze = patient(&unit.world, tool("systemd-analyze"));

    let ended = run(&unit.world, analyze.args(["verify", "--man=no"]).arg(&file));

    assert_eq!(ended.stderr, "", "an unknown key is a warning only");
    ended.succeeds();
}

#[test]
fn a_unit_gets_its_secret_from_the_credentials_folder() {
    let unit = Unit::new();

    let report = run(&unit.world, &mut unit.command());

    let report = report.without_token(&unit.world).succeeds();
    assert!(report.contains("office"), "{report}");
    let private = unit.world.path("cache/private/networks-report/tokens");
    assert!(
        private.is_dir(),
        "the cache is in the directory of the unit"
    );
    let names = unit.values("LoadCredential").len() + unit.values("CacheDirectory").len();
    assert_eq!(names, 2, "the unit was read");
}

#[test]
fn a_unit_fails_where_there_is_no_token() {
    let unit = Unit::new();
    spoil_secret(&unit.world);

    let ended = run(&unit.world, &mut unit.command());

    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""));
    assert_eq!(api_requests(&unit.world), [""; 0]);
}

#[test]
fn direnv_chooses_the_profile_of_a_folder() {
    let world = world();
    let other = "[profiles.other]\nbase_url = \"https://other.test\"\nclient_id = \"x\"\n\
                 client_secret = { env = \"X\" }\n";
    let prod = world.profile_text("prod");
    world.write_config(&format!("default_profile = \"other\"\n{prod}{other}"));
    trust(&world, &[]);
    links(&world);
    let project = world.home().join("project");
    place(&world, "direnv/.envrc", &project.join(".envrc"), &[]);
    let direnv = tool("direnv").display().to_string();
    bash(&world, "cloudconnexa-auth token").fails();

    let script = format!("{direnv} allow project && {direnv} exec project cloudconnexa-auth token");
    let token = bash(&world, &script).succeeds();

    assert_eq!(token, world.run(["token", "--profile", "prod"]).succeeds());
}

#[test]
fn the_headers_for_an_mcp_server_are_one_object_of_texts() {
    let world = world();
    let server = format!("{}/api/v1/networks", world.sandbox.base_url());
    configure(&world, &[]);
    trust(&world, &[]);
    links(&world);
    let hosts = [("https://mcp.acme.internal/mcp", server.as_str())];
    let text = recipe(&world, "mcp/.mcp.json", &hosts);
    let settings: Value = serde_json::from_str(&text).unwrap();
    let server = &settings["mcpServers"]["acme"];
    let helper = server["headersHelper"].as_str().unwrap();
    let url = server["url"].as_str().unwrap();
    assert!(helper.ends_with(url), "any other host is refused: {helper}");

    let printed = bash(&world, helper).succeeds();

    let headers: Value = serde_json::from_str(&printed).unwrap();
    let members = headers.as_object().unwrap();
    assert_eq!(members.len(), 1, "only the one header");
    let authorization = members["Authorization"].as_str().unwrap();
    assert_eq!(authorization, format!("Bearer {}", world.token()));
    assert_eq!(printed.lines().count(), 1);
    let mut curl = patient(&world, tool("curl"));
    curl.args(["--fail", "--silent", "--header", "@-", url]);
    let header = format!("Authorization: {authorization}\n");
    run_with_stdin(&world, &mut curl, &header).succeeds();
}

#[test]
fn the_helper_of_an_mcp_server_fails_for_a_foreign_host_and_without_a_token() {
    let world = world();
    configure(&world, &[]);
    trust(&world, &[]);
    links(&world);
    let foreign = bash(
        &world,
        "cloudconnexa-auth header --json --for https://mcp.evil.test/mcp",
    );
    assert_eq!((foreign.code, foreign.stdout.as_str()), (Some(3), ""));

    spoil_secret(&world);
    let ended = bash(&world, "cloudconnexa-auth header --json");

    assert_eq!((ended.code, ended.stdout.as_str()), (Some(4), ""));
}
