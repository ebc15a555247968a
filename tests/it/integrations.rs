//! The ready files in `integrations/` and the pages beside them are whole, linked, and hold nothing
//! of anybody's. That they work is shown with the tools themselves, in `clients`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cloudconnexa_sandbox::Sandbox;
use serde_json::Value;

use crate::clients::{client, configure, links, run, run_with_stdin, tool, trust, world};
use crate::harness::World;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn entries(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// The folders of tools.
fn tools() -> BTreeSet<String> {
    let folders = entries("integrations").into_iter();
    let names = folders.filter(|path| path.is_dir()).map(|path| name(&path));
    names.filter(|name| name != "schemas").collect()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (folders, mut files): (Vec<_>, Vec<_>) =
        entries(folder).into_iter().partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| self::files(folder)));
    files
}

/// The targets of a page's links.
fn targets(text: &str) -> BTreeSet<String> {
    let links = text.split("](").skip(1);
    let links = links.map(|rest| rest.split(')').next().unwrap().to_owned());
    links.collect()
}

#[test]
fn every_tool_has_a_readme_with_trust_notes_and_a_row_in_the_table() {
    let table = read("integrations/README.md");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ["))
        .collect();
    assert!(tools().len() >= 21, "the folders are found: {:?}", tools());
    for tool in tools() {
        let page = read(format!("integrations/{tool}/README.md"));
        assert!(
            page.contains("\n## Trust notes\n"),
            "{tool} does not say whom one trusts with what"
        );
        assert!(
            page.contains("**Refused token.**"),
            "{tool} does not say what becomes of a refused token"
        );
        let link = format!("[{tool}]({tool}/README.md)");
        let count = rows.iter().filter(|row| row.contains(&link)).count();
        assert_eq!(count, 1, "{tool} has one row in integrations/README.md");
        assert!(
            files(&root().join("integrations").join(&tool)).len() >= 2,
            "{tool} has nothing to copy"
        );
    }
    assert_eq!(
        rows.len(),
        tools().len(),
        "and no row is without its folder"
    );
}

#[test]
fn every_file_of_a_tool_is_told_of_in_its_readme() {
    for tool in tools() {
        let folder = root().join("integrations").join(&tool);
        let page = read(folder.join("README.md"));
        for file in files(&folder) {
            let inside = file.strip_prefix(&folder).unwrap().to_str().unwrap();
            let is_told = inside.split('/').any(|part| {
                page.contains(&format!("`{part}")) || page.contains(&format!("/{part}`"))
            });
            assert!(
                is_told || inside == "README.md",
                "integrations/{tool}/README.md does not tell of {inside}"
            );
        }
    }
}

#[test]
fn every_tool_is_linked_from_the_readme() {
    let linked = targets(&read("README.md"));
    for tool in tools() {
        let page = format!("integrations/{tool}/README.md");
        assert!(linked.contains(&page), "README.md has no link to {page}");
    }
}

#[test]
fn every_protocol_has_a_page_and_every_page_is_linked() {
    let index = targets(&read("docs/protocols/README.md"));
    assert!(
        targets(&read("README.md")).contains("docs/protocols/README.md"),
        "README.md leads to the pages"
    );
    let mut pages = entries("docs/protocols");
    pages.retain(|page| name(page) != "README.md");
    assert!(pages.len() >= 10, "the pages are found: {pages:?}");
    for page in pages {
        let page = name(&page);
        assert!(
            index.contains(&page),
            "docs/protocols/README.md has no link to {page}"
        );
    }
}

#[test]
fn no_link_of_these_pages_is_dead() {
    let mut pages = files(&root().join("integrations"));
    pages.extend(files(&root().join("docs")));
    pages.extend(entries("").into_iter().filter(|path| path.is_file()));
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    for page in pages {
        for link in targets(&fs::read_to_string(&page).unwrap()) {
            if link.starts_with("https://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            assert!(target.exists(), "{} links to {link}", page.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                let has = text
                    .lines()
                    .any(|line| anchor(line).as_deref() == Some(heading));
                assert!(has, "{} links to {link}", page.display());
            }
        }
    }
}

/// The name by which a heading is linked to.
fn anchor(line: &str) -> Option<String> {
    let title = line
        .strip_prefix('#')?
        .trim_start_matches('#')
        .strip_prefix(' ')?;
    let letters = title.to_lowercase();
    let kept = letters
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    Some(kept.map(|c| if c == ' ' { '-' } else { c }).collect())
}

#[test]
fn the_files_are_of_their_kind() {
    for file in files(&root().join("integrations")) {
        let text = fs::read_to_string(&file).unwrap();
        let shown = file.display();
        let name = name(&file);
        if name.ends_with(".json") {
            let parsed: Result<Value, _> = serde_json::from_str(&text);
            parsed.unwrap_or_else(|error| panic!("{shown}: {error}"));
        } else if name.ends_with(".toml") || name == "registries.conf" {
            let parsed = toml::de::DeTable::parse(&text);
            parsed.unwrap_or_else(|error| panic!("{shown}: {error}"));
        } else if text.starts_with("#!") || name == ".envrc" {
            let output = Command::new("bash").arg("-n").arg(&file).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{shown}: {stderr}");
        }
        assert!(
            text.ends_with('\n') && !text.contains('\r'),
            "{shown} ends its lines in LF"
        );
        is_executable_as_it_must_be(&file, &text);
    }
}

fn is_executable_as_it_must_be(file: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(file).unwrap().permissions().mode();
    assert_eq!(
        mode & 0o111 != 0,
        text.starts_with("#!"),
        "{} is copied with its mode",
        file.display()
    );
}

#[test]
fn no_file_holds_a_secret_or_anything_of_one_machine() {
    let hosts = [
        "acme.api.openvpn.com",
        "git.acme.internal",
        "registry.acme.internal",
        "crates.acme.internal",
        "go.acme.internal",
        "npm.acme.internal",
        "artifacts.acme.internal",
        "mcp.acme.internal",
    ];
    let mut all = files(&root().join("integrations"));
    all.retain(|file| file.parent().unwrap().file_name().unwrap() != "schemas");
    all.extend(files(&root().join("docs/protocols")));
    for file in all {
        let text = fs::read_to_string(&file).unwrap();
        let shown = file.display();
        let is_page = name(&file) == "README.md" || file.starts_with(root().join("docs"));
        for word in [
            "/home/",
            "/root/",
            "/tmp/",
            "/Users/",
            "localhost:",
            "127.0.0.1",
        ] {
            assert!(!text.contains(word), "{shown} holds {word}");
        }
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_+".contains(c));
        for word in words {
            let digits = word.chars().filter(char::is_ascii_digit).count();
            assert!(
                word.len() < 24 || digits < 4,
                "{shown} holds something like a secret: {word}"
            );
        }
        for rest in text.split("https://").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !".-".contains(c));
            let host = rest.split_at(end.unwrap_or(rest.len())).0;
            assert!(
                is_page || host.is_empty() || hosts.contains(&host),
                "{shown} names {host}, which is no host of the profile"
            );
        }
    }
}

/// A YAML file of `integrations/` with the world's server and credential, as JSON.
fn yaml(world: &World, path: &str) -> Value {
    let text = translated(world, path);
    let mut python = client(world, tool("python3"));
    python.args([
        "-c",
        "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))",
    ]);
    let json = run_with_stdin(world, &mut python, &text).succeeds();
    serde_json::from_str(&json).unwrap()
}

fn translated(world: &World, path: &str) -> String {
    read(path)
        .replace("https://acme.api.openvpn.com", world.sandbox.base_url())
        .replace("CLIENT_ID.acme", &world.sandbox.credential().client_id)
}

/// A world in which a pipeline runs: the program on PATH, nothing set up, and curl trusts the
/// server.
fn pipeline() -> World {
    let world = world();
    trust(&world, &[]);
    links(&world);
    // The tenant's usual server is not here.
    world.set("CLOUDCONNEXA_BASE_URL", world.sandbox.base_url());
    world
}

/// A shell as the pipeline has it, with these variables.
fn shell(world: &World, flags: &str, script: &str, variables: &Value) -> Command {
    let mut bash = client(world, "bash");
    bash.args([flags, "-c", script]);
    for (name, value) in variables.as_object().into_iter().flatten() {
        bash.env(name, value.as_str().unwrap());
    }
    bash
}

#[test]
fn the_yaml_files_are_yaml() {
    let world = world();
    for path in [
        "ansible/playbook.yml",
        "github-actions/networks.yml",
        "gitlab-ci/.gitlab-ci.yml",
        "kubectl/kubeconfig",
    ] {
        let value = yaml(&world, &format!("integrations/{path}"));
        assert!(value.is_object() || value.is_array(), "{path} is {value}");
    }
}

#[test]
fn the_steps_for_github_call_the_api_with_one_token_that_is_masked() {
    let world = pipeline();
    let workflow = yaml(&world, "integrations/github-actions/networks.yml");
    let job = &workflow["jobs"]["networks"];
    let secret = world.sandbox.credential().client_secret;
    let temporary = world.path("runner");
    fs::create_dir(&temporary).unwrap();
    let file = world.path("github-env");

    let mut printed = String::new();
    for step in job["steps"].as_array().unwrap() {
        let script = step["run"].as_str().unwrap();
        // GitHub's shell, unless a step names one, is `bash -e`.
        let mut bash = shell(&world, "-e", script, &job["env"]);
        bash.env("RUNNER_TEMP", &temporary).env("GITHUB_ENV", &file);
        for line in fs::read_to_string(&file).unwrap_or_default().lines() {
            let (name, value) = line.split_once('=').unwrap();
            bash.env(name, value);
        }
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            assert_eq!(value, "${{ secrets.CLOUDCONNEXA_CLIENT_SECRET }}");
            bash.env(name, &secret);
        }
        printed += &run(&world, &mut bash).succeeds();
    }

    assert!(
        printed.contains("\"office\""),
        "the API answered: {printed}"
    );
    let cache = temporary.join("cloudconnexa-auth");
    let entry = entries(&cache)
        .into_iter()
        .find(|path| name(path).ends_with(".json"));
    let entry: Value = serde_json::from_str(&read(entry.unwrap())).unwrap();
    let token = entry["token"]["access_token"].as_str().unwrap();
    assert_eq!(
        printed.matches(token).count(),
        printed.matches(&format!("::add-mask::{token}\n")).count(),
        "the token is printed in order to be masked, and else not"
    );
    assert_eq!(printed.matches("::add-mask::").count(), 1);
    let requests = world
        .sandbox
        .token_requests_of(&world.sandbox.credential().client_id);
    assert_eq!(requests, 1, "the steps share one token");
}

#[test]
fn a_step_for_github_fails_where_its_secret_did_not_arrive() {
    let world = pipeline();
    let workflow = yaml(&world, "integrations/github-actions/networks.yml");
    let job = &workflow["jobs"]["networks"];
    for step in job["steps"].as_array().unwrap() {
        if step["env"].is_object() {
            let mut bash = shell(&world, "-e", step["run"].as_str().unwrap(), &job["env"]);
            let stderr = run(&world, &mut bash).fails();
            assert!(stderr.contains("CLOUDCONNEXA_CLIENT_SECRET"), "{stderr}");
        }
    }
    assert!(world.sandbox.requests().is_empty(), "and nothing was sent");
}

#[test]
fn the_script_for_gitlab_calls_the_api_and_prints_no_token() {
    let world = pipeline();
    let job = &yaml(&world, "integrations/gitlab-ci/.gitlab-ci.yml")["networks"];
    let lines: Vec<&str> = job["script"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    let script = format!("set -o pipefail\n{}", lines.join("\n"));

    let stderr = run(&world, &mut shell(&world, "-e", &script, &job["variables"])).fails();
    assert!(
        stderr.contains("CLOUDCONNEXA_CLIENT_SECRET") && world.sandbox.requests().is_empty(),
        "without the secret it fails before anything is sent: {stderr}"
    );

    let secret = world.sandbox.credential().client_secret;
    let mut bash = shell(&world, "-e", &script, &job["variables"]);
    let printed = run(&world, bash.env("CLOUDCONNEXA_CLIENT_SECRET", secret)).succeeds();
    assert!(
        printed.contains("\"office\""),
        "the API answered: {printed}"
    );
    for token in world.canaries().tokens {
        assert!(!printed.contains(&token), "GitLab would not mask it");
    }
}

#[test]
fn the_line_for_direnv_chooses_the_profile() {
    let world = world();
    links(&world);
    let other = world
        .profile_text("other")
        .replace("client_id = \"", "client_id = \"other-");
    let profiles = format!(
        "default_profile = \"other\"\n{other}{}",
        world.profile_text("prod")
    );
    world.write_config(&profiles);
    let script = format!(
        "{}cloudconnexa-auth token --json",
        read("integrations/direnv/.envrc")
    );

    let printed = run(&world, &mut shell(&world, "-e", &script, &Value::Null)).succeeds();

    let answer: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(answer["profile"], "prod");
}

#[test]
fn the_command_for_mcp_clients_prints_an_object_of_headers() {
    let world = world();
    links(&world);
    configure(&world, &["mcp.acme.internal"]);
    let file = read("integrations/mcp/.mcp.json");
    let file: Value = serde_json::from_str(&file).unwrap();
    let server = &file["mcpServers"]["acme"];
    let command = server["headersHelper"].as_str().unwrap();
    assert!(
        command.ends_with(server["url"].as_str().unwrap()),
        "the command refuses any other host than the server's: {command}"
    );

    let printed = run(&world, &mut shell(&world, "-e", command, &Value::Null)).succeeds();

    let headers: Value = serde_json::from_str(&printed).unwrap();
    let expected = format!("Bearer {}", world.token());
    assert_eq!(headers, serde_json::json!({ "Authorization": expected }));
}

#[test]
fn the_profile_of_the_files_is_a_configuration_and_has_all_their_hosts() {
    let world = World::without_profile(Sandbox::builder());
    let config = read("integrations/config.toml");
    let systemd = read("integrations/systemd/config.toml");
    for text in [&config, &systemd] {
        world.write_config(text);
        let listed = world.run(["list"]).succeeds();
        assert!(listed.contains("https://acme.api.openvpn.com"), "{listed}");
    }
    for file in files(&root().join("integrations")) {
        let text = fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices(".acme.internal") {
            let before = &text[..at];
            let begin = before.rfind(|c: char| !c.is_ascii_alphanumeric());
            let host = format!(
                "\"{}.acme.internal\"",
                &before[begin.map_or(0, |at| at + 1)..]
            );
            assert!(config.contains(&host), "{} names {host}", file.display());
        }
    }
}
