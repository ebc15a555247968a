//! Docker's credential helpers as a source. `docker-credential-pass` is the real one; scripts
//! replace it for answers that it never gives.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{World, write_private};
use crate::sources::{refused, world_with};

/// Writes the answer of a helper into a file, for a script to print.
pub(crate) fn write_answer(world: &World, user: &str, secret: &str) {
    let answer = json!({ "ServerURL": "", "Username": user, "Secret": secret });
    write_private(&world.path("answer.secret"), &answer.to_string());
}

/// Installs a script as `docker-credential-NAME`; returns the PATH that contains it.
pub(crate) fn install_helper(world: &World, name: &str, script: &str) -> String {
    let folder = world.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let (from, to) = (
        world.path("script"),
        folder.join(format!("docker-credential-{name}")),
    );
    fs::write(&from, format!("#!/bin/sh\n{script}\n")).unwrap();
    // Another process writes the file. If this process had it open for writing while another thread
    // starts a program, it could not be started ("text file busy").
    let status = Command::new("install")
        .args(["-m", "755"])
        .args([&from, &to])
        .status();
    assert!(status.unwrap().success());
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

#[test]
fn the_answers_of_docker_helpers_are_told_apart() {
    let world = world_with("docker_helper = \"x\"");
    let client_id = world.sandbox.credential().client_id;
    let path = |script| install_helper(&world, "x", script);
    world.set("PATH", &path(""));
    write_answer(
        &world,
        &client_id,
        &world.sandbox.credential().client_secret,
    );
    let entry = format!("`{}/{client_id}`", world.sandbox.base_url());
    let none = format!("`docker-credential-x` holds no secret under {entry}");
    for (script, says) in [
        (
            "echo credentials not found in native keychain; exit 1",
            none.as_str(),
        ),
        ("echo '{\"Username\":\"\",\"Secret\":\"\"}'", &none),
        ("echo '{}'", &none),
        (
            "echo 'the keychain is locked'; exit 1",
            "`docker-credential-x` failed: exit status: 1, \"the keychain is locked\"",
        ),
        (
            "printf 'a\\033[31m\\n\\nb'; exit 1",
            "exit status: 1, \"a [31m b\"",
        ),
        ("exit 7", "exit status: 7"),
        // A helper that prints its answer and still fails; the harness searches for the secret.
        ("cat answer.secret; exit 1", "exit status: 1"),
        ("echo garbage", "is not the JSON of a docker credential"),
        ("", "is not the JSON of a docker credential"),
        ("cat good.secret", "is not the JSON of a docker credential"),
        ("exec yes", "is longer than 64 KiB"),
        (
            "echo '{\"Username\":\"another\",\"Secret\":\"value\"}'",
            "holds the secret of another client ID",
        ),
        (
            r#"printf %s '{"Username":"","Secret":"a\nb"}'"#,
            "the secret from `docker-credential-x` holds more than one line",
        ),
    ] {
        path(script);
        refused(&world, &[says]);
    }

    // Checks the request; a helper may answer without a user name.
    write_answer(&world, "", &world.sandbox.credential().client_secret);
    path("echo \"$*\" > asked; cat >> asked; cat answer.secret");
    world.token();
    let asked = fs::read_to_string(world.path("asked")).unwrap();
    assert_eq!(asked, format!("get\n{}", entry.trim_matches('`')));
}

#[test]
fn a_docker_helper_that_is_not_installed_is_named() {
    let world = world_with("docker_helper = \"nothing-of-that-name\"");
    // The system's reason differs if the user cannot read a directory of PATH.
    let says = "`docker-credential-nothing-of-that-name` could not be started: ";
    refused(&world, &[says, "hint: install it"]);
}

/// A temporary `pass` store; its agent is ended with it, also if the test fails.
pub(crate) struct Keyring(TempDir);

impl Keyring {
    pub(crate) fn new(world: &World, options: &[&str]) -> Self {
        // Not in the world, because the path of an agent's socket must be short.
        let folder = tempfile::Builder::new().prefix("k").tempdir_in("/tmp");
        let keyring = Self(folder.unwrap());
        let init = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keyring/pass-init.sh");
        let mut command = Command::new("bash");
        let made = command.arg(init).arg(keyring.0.path()).args(options);
        let output = made.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "no `pass` store, start the tests with `make test`: {told}"
        );
        for (name, path) in keyring.variables() {
            world.set(name, path.to_str().unwrap());
        }
        keyring
    }

    pub(crate) fn variables(&self) -> [(&'static str, PathBuf); 2] {
        let path = |name| self.0.path().join(name);
        [
            ("GNUPGHOME", path("gnupg")),
            ("PASSWORD_STORE_DIR", path("store")),
        ]
    }

    pub(crate) fn store(&self, server: &str, user: &str, secret: &str) {
        let mut helper = Command::new("docker-credential-pass")
            .arg("store")
            .envs(self.variables())
            .stdin(Stdio::piped())
            .spawn()
            .expect("docker-credential-pass is there, or run the tests with `make test`");
        let entry = json!({ "ServerURL": server, "Username": user, "Secret": secret });
        serde_json::to_writer(helper.stdin.take().unwrap(), &entry).unwrap();
        assert!(helper.wait().unwrap().success());
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        let mut gpgconf = Command::new("gpgconf");
        // If the agent does not end, ignore that: a panic here would hide the first one.
        drop(
            gpgconf
                .args(["--kill", "all"])
                .envs(self.variables())
                .status(),
        );
    }
}

#[test]
fn a_secret_in_pass_is_found_under_server_and_client_id() {
    let world = world_with("docker_helper = \"pass\"");
    let client_id = world.sandbox.credential().client_id;
    let secret = "sec:ret/+%&= ~\"\\<é";
    world.sandbox.set_secret(&client_id, secret);
    world.watch(secret);
    let keyring = Keyring::new(&world, &[]);
    let entry = format!("{}/{client_id}", world.sandbox.base_url());

    refused(
        &world,
        &[&format!(
            "`docker-credential-pass` holds no secret under `{entry}`"
        )],
    );
    // The tenant's other credential is no substitute.
    keyring.store(&format!("{entry}.other"), "other", "another secret");
    refused(&world, &["holds no secret"]);
    keyring.store(&entry, "zzz", "another secret");
    refused(&world, &["holds the secret of another client ID"]);

    keyring.store(&entry, &client_id, secret);
    world.token();
}

#[test]
fn a_pass_store_that_is_not_initialised_holds_nothing() {
    let world = world_with("docker_helper = \"pass\"");
    let _keyring = Keyring::new(&world, &["--no-store"]);
    refused(&world, &["`docker-credential-pass` holds no secret"]);
}

#[test]
fn a_pass_store_whose_key_is_gone_is_told_in_its_own_words() {
    let world = world_with("docker_helper = \"pass\"");
    let client_id = world.sandbox.credential().client_id;
    let keyring = Keyring::new(&world, &[]);
    let entry = format!("{}/{client_id}", world.sandbox.base_url());
    keyring.store(&entry, &client_id, "the secret of nobody");

    let another = Keyring::new(&world, &["--no-store"]);
    let [_, (store, path)] = keyring.variables();
    world.set(store, path.to_str().unwrap());
    refused(&world, &["exit status: 1, \"", "No secret key"]);
    drop(another);
}
