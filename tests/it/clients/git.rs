//! Real git, in front of a server that verifies every token.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clients::{Challenge, Resource, client, find, found_or_skipped, links, run, world};
use crate::harness::World;

/// A git that speaks of Bearer tokens.
fn modern_git() -> Option<PathBuf> {
    found_or_skipped(
        "git 2.46 or newer",
        find("git", |git| version(git) >= (2, 46)),
    )
}

fn version(git: &Path) -> (u32, u32) {
    let output = Command::new(git).arg("version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let number = text.strip_prefix("git version ").unwrap();
    let mut parts = number
        .split('.')
        .map(|part| part.trim().parse().unwrap_or(0));
    (parts.next().unwrap(), parts.next().unwrap())
}

/// A repository `r.git` with one commit.
fn make_repository(world: &World, resource: &Resource) {
    let folder = resource.directory().join("git/r.git");
    fs::create_dir_all(&folder).unwrap();
    let script = "git init --quiet --bare --initial-branch=main . && \
        git commit-tree -m one \"$(git mktree < /dev/null)\" | xargs git update-ref refs/heads/main";
    let mut shell = client(world, "sh");
    shell.args(["-c", script]).current_dir(&folder);
    for variable in ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"] {
        shell.env(variable, "a");
    }
    for variable in ["GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
        shell.env(variable, "a@example.test");
    }
    run(world, &mut shell).succeeds();
}

#[test]
fn the_resource_server_lets_in_whoever_shows_a_good_token() {
    let Some(git) = modern_git() else { return };
    let world = world();
    let mut resource = Resource::start(&world, Challenge::Both);
    resource.configure(&world);
    links(&world);
    make_repository(&world, &resource);
    let token = world.run(["token"]).succeeds();
    let mut command = client(&world, &git);
    command
        .arg("-c")
        .arg(format!(
            "http.extraHeader=Authorization: Bearer {}",
            token.trim()
        ))
        .args(["ls-remote", &format!("{}/git/r.git", resource.url())]);
    let output = run(&world, &mut command);
    assert!(output.succeeds().contains("refs/heads/main"));
    assert_eq!(resource.tokens_shown(), ["Bearer accepted"; 2]);
}
