//! The places where `login` stores the secret: pass(1) and GNOME's keyring, both real, and helpers
//! that fail as real ones sometimes do.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::docker_helpers::{Keyring, install_helper};
use crate::harness::World;
use crate::login::{acme, login};

/// A session bus with an unlocked GNOME keyring; both end when this is dropped.
pub(crate) struct Session {
    _sockets: TempDir,
    service: Child,
    variables: Vec<(String, String)>,
}

impl Session {
    pub(crate) fn start(world: &World) -> Self {
        // Not in the world, because the path of a socket must be short.
        let sockets = tempfile::Builder::new().prefix("s").tempdir_in("/tmp");
        let sockets = sockets.unwrap();
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/keyring/secretservice.sh"
        );
        let log = fs::File::create(world.path("session.log")).unwrap();
        let mut service = Command::new(script)
            .arg(sockets.path())
            .env_clear()
            .envs(world.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut address = String::new();
        let mut stdout = BufReader::new(service.stdout.take().unwrap());
        stdout.read_line(&mut address).unwrap();
        assert!(
            address.starts_with("unix:"),
            "no GNOME keyring, run the tests with `make test`: {}",
            fs::read_to_string(world.path("session.log")).unwrap()
        );
        world.set("DBUS_SESSION_BUS_ADDRESS", address.trim_end());
        world.set("XDG_RUNTIME_DIR", sockets.path().to_str().unwrap());
        Self {
            _sockets: sockets,
            service,
            variables: world.variables(),
        }
    }

    fn call(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(arguments[0]);
        let output = command
            .args(&arguments[1..])
            .env_clear()
            .envs(self.variables.iter().cloned())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn lock(&self) {
        self.call(&[
            "gdbus",
            "call",
            "--session",
            "--dest=org.freedesktop.secrets",
            "--object-path=/org/freedesktop/secrets",
            "--method=org.freedesktop.Secret.Service.Lock",
            "['/org/freedesktop/secrets/collection/login']",
        ]);
    }

    fn list(&self) -> String {
        self.call(&["docker-credential-secretservice", "list"])
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.service.stdin.take());
        drop(self.service.wait());
    }
}

/// A session in which all programs are available.
fn desktop(world: &World) -> Session {
    world.set("PATH", &std::env::var("PATH").unwrap());
    Session::start(world)
}

/// The files in the configuration directory, except for the locks.
fn saved(world: &World) -> Vec<String> {
    let files = fs::read_dir(world.config_folder());
    let files = files.into_iter().flatten().flatten();
    let names = files.map(|file| file.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".lock")).collect();
    names.sort();
    names
}

#[track_caller]
fn succeeds(world: &World, flags: &[&str]) -> String {
    let (stdout, stderr) = login(world, flags).outcome().succeeds_with_stderr();
    assert_eq!(stdout, "");
    stderr
}

/// The `client_secret` in the configuration.
fn source(world: &World) -> String {
    let config = fs::read_to_string(world.config()).unwrap();
    let line = config
        .lines()
        .find(|line| line.starts_with("client_secret"));
    line.unwrap().to_owned()
}

#[test]
fn a_desktops_keyring_keeps_the_secret_and_gives_it_back() {
    let world = acme();
    let session = desktop(&world);

    let stderr = succeeds(&world, &[]);

    let told = "cloudconnexa-auth: its client secret is in docker-credential-secretservice\n";
    assert!(stderr.contains(told), "{stderr}");
    assert_eq!(
        source(&world),
        "client_secret = { docker_helper = \"secretservice\" }"
    );
    assert_eq!(saved(&world), ["config.toml"], "no file contains a secret");
    world.run(["token", "--refresh"]).succeeds();

    // A second `login` changes nothing.
    succeeds(&world, &["--store", "secretservice"]);
    assert_eq!(session.list().matches("acme.api.openvpn.com").count(), 1);

    world.run(["logout"]).outcome().succeeds_with_stderr();
    assert_eq!(session.list().trim(), "{}");
    assert_eq!(saved(&world), [""; 0]);
}

#[test]
fn a_keyring_that_is_locked_is_told_and_lost_by_nobody() {
    let world = acme();
    let session = desktop(&world);
    succeeds(&world, &[]);
    session.lock();

    let stderr = world.run(["token", "--refresh"]).fails(3);
    assert!(
        stderr.contains("a locked vault has to be unlocked first"),
        "{stderr}"
    );
    // Version 0.6.4 reports that it has erased the secret, but has not.
    let stderr = world.run(["logout"]).fails(1);
    assert!(
        stderr.contains("could not be removed") && stderr.contains("unlock the keychain"),
        "{stderr}"
    );
    assert_eq!(saved(&world), ["config.toml"], "so it can be tried again");

    // As if the user had logged in to the desktop again.
    drop(session);
    let session = desktop(&world);
    world.run(["token", "--refresh"]).succeeds();
    world.run(["logout"]).outcome().succeeds_with_stderr();
    assert_eq!(session.list().trim(), "{}");
}

#[test]
fn a_login_to_a_locked_keyring_goes_to_the_file_and_says_why() {
    let world = acme();
    let session = desktop(&world);
    session.lock();

    let stderr = login(&world, &["--store", "secretservice"]).fails(3);
    assert!(
        stderr.contains("error: `docker-credential-secretservice` does not keep the client secret; nothing was saved\n")
            && stderr.contains("locked collection"),
        "{stderr}"
    );
    assert_eq!(saved(&world), [""; 0]);

    let stderr = succeeds(&world, &[]);
    assert!(
        stderr.contains("acme.secret (0600), since `docker-credential-secretservice` failed")
            && stderr.contains("locked collection"),
        "{stderr}"
    );
    assert_eq!(saved(&world), ["acme.secret", "config.toml"]);
    world.run(["token", "--refresh"]).succeeds();
}

#[test]
fn a_keyring_without_a_session_is_no_keyring() {
    let world = acme();
    world.set("PATH", &std::env::var("PATH").unwrap());
    let stderr = succeeds(&world, &[]);
    assert!(
        stderr.contains("acme.secret (0600), since `docker-credential-secretservice` failed"),
        "{stderr}"
    );
    let stderr = login(&world, &["--profile", "p", "--store", "secretservice"]).fails(3);
    assert!(stderr.contains("nothing was saved"), "{stderr}");
    assert_eq!(saved(&world), ["acme.secret", "config.toml"]);
}

#[test]
fn a_keychain_that_is_not_installed_is_not_spoken_of_unless_it_was_chosen() {
    let world = acme();
    let stderr = succeeds(&world, &[]);
    assert!(stderr.ends_with("acme.secret (0600)\n"), "{stderr}");
    for keeper in ["secretservice", "pass", "osxkeychain", "wincred"] {
        let stderr = login(&world, &["--profile", "p", "--store", keeper]).fails(3);
        let says = format!("cause: `docker-credential-{keeper}` could not be started: ");
        assert!(
            stderr.contains(&says) && stderr.contains("--store file"),
            "{stderr}"
        );
    }
    assert_eq!(saved(&world), ["acme.secret", "config.toml"]);
    assert_eq!(
        world.sandbox.requests().len(),
        2,
        "no unnecessary request was sent"
    );
}

#[test]
fn pass_keeps_the_secret_where_it_is_set_up() {
    let world = acme();
    world.set("PATH", &std::env::var("PATH").unwrap());
    let client_id = world.sandbox.credential().client_id;
    // Characters that JSON, a shell and a form each encode differently.
    let secret = "sec:ret/+%&= ~\"\\<é";
    world.sandbox.set_secret(&client_id, secret);
    world.watch(secret);
    let _keyring = Keyring::new(&world, &[]);

    let stderr = succeeds(&world, &["--store", "pass"]);
    assert!(
        stderr.contains("is in docker-credential-pass\n"),
        "{stderr}"
    );
    assert_eq!(
        source(&world),
        "client_secret = { docker_helper = \"pass\" }"
    );
    world.run(["token", "--refresh"]).succeeds();
    world.run(["logout"]).outcome().succeeds_with_stderr();
    assert_eq!(saved(&world), [""; 0]);

    // `pass` is used without a flag: there is no session bus, and its store is initialised.
    let stderr = succeeds(&world, &[]);
    assert!(
        stderr.contains("is in docker-credential-pass, since"),
        "{stderr}"
    );

    // The secret moves to another backend; the first backend keeps no copy.
    succeeds(&world, &["--store", "file"]);
    assert_eq!(saved(&world), ["acme.secret", "config.toml"]);
    let mut helper = Command::new("docker-credential-pass");
    let list = helper.arg("list").envs(world.variables()).output().unwrap();
    assert_eq!(String::from_utf8(list.stdout).unwrap().trim(), "{}");
    succeeds(&world, &["--store", "pass"]);
    assert_eq!(saved(&world), ["config.toml"]);
    world.run(["token", "--refresh"]).succeeds();
}

#[test]
fn a_pass_store_that_is_not_set_up_is_passed_over_or_told() {
    let world = acme();
    world.set("PATH", &std::env::var("PATH").unwrap());
    let _keyring = Keyring::new(&world, &["--no-store"]);
    let stderr = succeeds(&world, &[]);
    assert!(
        stderr.contains("acme.secret (0600)") && !stderr.contains("credential-pass"),
        "{stderr}"
    );
    let stderr = login(&world, &["--profile", "p", "--store", "pass"]).fails(3);
    assert!(stderr.contains("pass not initialized"), "{stderr}");
}

#[test]
fn a_keychain_that_hangs_is_waited_for_three_seconds_and_passed_over() {
    let world = acme();
    install_helper(&world, "secretservice", "exec /bin/sleep 1000");
    let stderr = succeeds(&world, &[]);
    let says =
        "acme.secret (0600), since `docker-credential-secretservice` gave no answer within 3s\n";
    assert!(stderr.contains(says), "{stderr}");
    world.token();
}

#[test]
fn a_keychain_that_hangs_when_it_is_to_keep_something_is_passed_over_too() {
    let world = acme();
    let script = "case $1 in list) echo '{}' ;; *) exec /bin/sleep 1000 ;; esac";
    install_helper(&world, "secretservice", script);
    let stderr = succeeds(&world, &["--timeout", "3s"]);
    assert!(
        stderr.contains("acme.secret (0600), since `docker-cred"),
        "{stderr}"
    );
    let flags = [
        "--timeout",
        "3s",
        "--store",
        "secretservice",
        "--profile",
        "p",
    ];
    let stderr = login(&world, &flags).fails(3);
    assert!(stderr.contains("gave no answer within"), "{stderr}");
    assert_eq!(saved(&world), ["acme.secret", "config.toml"]);
}

#[test]
fn a_keychain_that_does_not_give_back_what_it_took_is_not_trusted_with_it() {
    let world = acme();
    let says_other = "echo '{\"Username\":\"\",\"Secret\":\"another one\"}'";
    let none = "echo credentials not found in native keychain; exit 1";
    for (get, store, says) in [
        (says_other, "exit 0", "is another one than it was given"),
        (none, "exit 0", "holds no secret under"),
        // The helper prints its input; the harness searches for the secret.
        (none, "cat; exit 1", "failed: exit status: 1"),
        (none, "echo 'no room left'; exit 1", "\"no room left\""),
    ] {
        let script = format!(
            "PATH=/bin:/usr/bin\ncase $1 in list) echo '{{}}' ;; store) {store} ;; get) {get} ;; esac"
        );
        install_helper(&world, "secretservice", &script);
        let stderr = login(&world, &["--store", "secretservice"]).fails(3);
        assert!(stderr.contains(says), "{says}: {stderr}");
        assert_eq!(saved(&world), [""; 0]);
        let stderr = succeeds(&world, &[]);
        assert!(stderr.contains("acme.secret (0600), since "), "{stderr}");
        world.run(["logout"]).outcome().succeeds_with_stderr();
    }
}

#[test]
fn only_what_was_known_not_to_be_there_is_taken_out_of_a_keychain_again() {
    for (before, is_erased) in [
        ("credentials not found in native keychain", true),
        // The keychain may contain a secret that is still needed.
        ("the collection is locked", false),
    ] {
        let world = acme();
        let (kept, erased) = (world.path("kept"), world.path("erased"));
        // The helper accepts the secret, but returns another one.
        let script = format!(
            "PATH=/bin:/usr/bin\ncase $1 in list) echo '{{}}' ;; store) touch '{kept}' ;; \
             erase) touch '{erased}' ;; \
             get) test -e '{kept}' || {{ echo {before}; exit 1; }}; \
             echo '{{\"Username\":\"\",\"Secret\":\"another one\"}}' ;; esac",
            kept = kept.display(),
            erased = erased.display()
        );
        install_helper(&world, "secretservice", &script);
        login(&world, &["--store", "secretservice"]).fails(3);
        assert!(kept.exists(), "it got the secret");
        assert_eq!(erased.exists(), is_erased, "{before}");
    }
}
