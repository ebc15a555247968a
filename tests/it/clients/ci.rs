//! The files for GitHub Actions and GitLab CI: their shell steps, in order, executed as a runner
//! does.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::clients::integration_files::{api_requests, patient, recipe};
use crate::clients::{Ended, client, links, run, run_with_stdin, tool, trust, world};
use crate::harness::World;

/// A runner: it has the program and curl, but no configuration.
fn runner() -> World {
    let world = world();
    trust(&world, &[]);
    links(&world);
    world
}

/// A file of `integrations/` as a runner parses it, for this world's credential.
fn workflow(world: &World, name: &str) -> Value {
    let client_id = world.sandbox.credential().client_id;
    let base_url = format!("CLOUDCONNEXA_BASE_URL: {}", world.sandbox.base_url());
    let replacements = [
        ("CLOUDCONNEXA_CLOUD_ID: acme", base_url.as_str()),
        ("CLIENT_ID.acme", &client_id),
    ];
    parsed(world, &recipe(world, name, &replacements))
}

/// YAML, parsed by Ansible's library.
fn parsed(world: &World, yaml: &str) -> Value {
    let mut python = client(world, tool("python3"));
    let script = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
    let json = run_with_stdin(world, python.args(["-c", script]), yaml).succeeds();
    serde_json::from_str(&json).unwrap()
}

#[test]
fn the_yaml_files_are_yaml() {
    let world = world();
    for name in [
        "ansible/playbook.yml",
        "github-actions/networks.yml",
        "gitlab-ci/.gitlab-ci.yml",
        "kubectl/kubeconfig",
    ] {
        let value = parsed(&world, &recipe(&world, name, &[]));
        assert!(value.is_object() || value.is_array(), "{name} is {value}");
    }
}

type Variables = BTreeMap<String, String>;

/// The members of an `env` or `variables`; all are strings.
fn variables(value: &Value) -> Variables {
    let members = value.as_object().into_iter().flatten();
    members
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

/// Runs a step's script as the runner does without a `shell`: `bash -e FILE`.
fn step(world: &World, script: &str, variables: &Variables, flags: &[&str]) -> Ended {
    let file = world.path("step.sh");
    fs::write(&file, script).unwrap();
    let mut bash: Command = patient(world, "bash");
    run(world, bash.args(flags).arg(file).envs(variables))
}

/// Runs a job of GitHub Actions up to the step that fails; returns the log, and whether the job has
/// succeeded.
fn github(world: &World, secret: &str) -> (String, bool) {
    let workflow = workflow(world, "github-actions/networks.yml");
    let job = &workflow["jobs"]["networks"];
    let mut environment = variables(&job["env"]);
    let temporary = world.path("runner");
    fs::create_dir_all(&temporary).unwrap();
    let exports = world.path("exports");
    fs::write(&exports, "").unwrap();
    for (name, path) in [("RUNNER_TEMP", &temporary), ("GITHUB_ENV", &exports)] {
        environment.insert(name.to_owned(), path.to_str().unwrap().to_owned());
    }
    let mut log = String::new();
    for it in job["steps"].as_array().unwrap() {
        let mut of_step = environment.clone();
        for (name, value) in variables(&it["env"]) {
            let value = value.replace("${{ secrets.CLOUDCONNEXA_CLIENT_SECRET }}", secret);
            assert!(!value.contains("${{"), "{value} is not known here");
            of_step.insert(name, value);
        }
        let ended = step(world, it["run"].as_str().unwrap(), &of_step, &["-e"]);
        log.push_str(&ended.stdout);
        log.push_str(&ended.stderr);
        if ended.code != Some(0) {
            return (log, false);
        }
        for line in fs::read_to_string(&exports).unwrap().lines() {
            let (name, value) = line.split_once('=').unwrap();
            environment.insert(name.to_owned(), value.to_owned());
        }
    }
    (log, true)
}

#[test]
fn the_github_job_masks_the_token_before_it_uses_it() {
    let world = runner();
    let secret = world.sandbox.credential().client_secret;

    let (log, is_good) = github(&world, &secret);

    assert!(is_good && log.contains("office"), "{log}");
    assert_eq!(api_requests(&world), ["GET /api/v1/networks 200"]);
    assert_eq!(world.sandbox.token_requests(), 1, "its steps share a cache");
    let cache = world.path("runner/cloudconnexa-auth");
    assert!(
        cache.is_dir() && !world.cache().exists(),
        "it is deleted with the job"
    );
    let mask = log
        .lines()
        .find_map(|line| line.strip_prefix("::add-mask::"));
    let token = mask.expect("the token is masked");
    assert_eq!(token.len(), 64, "the token is masked");
    assert_eq!(
        log.matches(token).count(),
        1,
        "it is nowhere else in the log"
    );
    let masked = log.find("::add-mask::").unwrap();
    assert!(masked < log.find("office").unwrap(), "and before its use");
    assert!(!log.contains(&secret));
}

#[test]
fn the_github_job_fails_where_there_is_no_token() {
    for secret in ["not the secret", ""] {
        let world = runner();

        let (log, is_good) = github(&world, secret);

        assert!(!is_good, "{log}");
        assert!(log.contains("cloudconnexa-auth: error: "), "{log}");
        assert!(!log.contains("::add-mask::"), "an empty mask: {log}");
        assert_eq!(api_requests(&world), [""; 0]);
    }
}

/// Runs the job of GitLab CI, whose runner also sets `pipefail`.
fn gitlab(world: &World, secret: &str) -> Ended {
    let file = workflow(world, "gitlab-ci/.gitlab-ci.yml");
    let job = &file["networks"];
    let mut variables = variables(&job["variables"]);
    variables.insert("CLOUDCONNEXA_CLIENT_SECRET".to_owned(), secret.to_owned());
    let lines = job["script"].as_array().unwrap().iter();
    let script: Vec<&str> = lines.map(|line| line.as_str().unwrap()).collect();
    step(
        world,
        &script.join("\n"),
        &variables,
        &["-e", "-o", "pipefail"],
    )
}

#[test]
fn the_gitlab_job_shows_no_token() {
    let world = runner();
    let secret = world.sandbox.credential().client_secret;

    let log = gitlab(&world, &secret).without_token(&world).succeeds();

    assert!(log.contains("office"), "{log}");
}

#[test]
fn the_gitlab_job_fails_where_there_is_no_token() {
    for secret in ["not the secret", ""] {
        let world = runner();

        let stderr = gitlab(&world, secret).fails();

        assert!(stderr.contains("cloudconnexa-auth: error: "), "{stderr}");
        assert_eq!(api_requests(&world), [""; 0]);
    }
}
