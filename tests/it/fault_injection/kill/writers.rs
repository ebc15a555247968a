//! Kills at the system calls of the subcommands that write permanent files: `store` and `login`
//! replace two files, and `login` then also writes the cache entry.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use cloudconnexa_sandbox::Sandbox;

use super::{Moment, SIGKILL};
use crate::fault_injection::{Claim, tries};
use crate::harness::{Run, World, write_private};
use crate::login::files;

/// The previous secret of the profile. The server does not accept it any more.
const OLD_SECRET: &str = "the-old-secret-of-this-profile";

/// A subcommand, and the content of the configuration directory before each kill.
struct Fixture {
    world: World,
    arguments: Vec<String>,
    stdin: String,
    config: Option<String>,
    /// The configuration and the secret file after a process that is not killed.
    new: (Vec<u8>, Vec<u8>),
}

/// The next step after a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Again,
    Logout,
}

impl Fixture {
    fn new(verb: &str, has_profile: bool) -> Self {
        let world = World::without_profile(Sandbox::builder().no_rate_limit());
        world.watch(OLD_SECRET);
        let credential = world.sandbox.credential();
        let (id, secret) = (&credential.client_id, &credential.client_secret);
        let url = world.sandbox.base_url();
        let (arguments, stdin) = if verb == "store" {
            let request = serde_json::json!({ "profile": "prod", "base_url": url,
                "client_id": id, "client_secret": secret });
            ("store".to_owned(), request.to_string())
        } else {
            let flags = format!("--store file --profile prod --client-id {id} --base-url {url}");
            (
                format!("login --secret-stdin {flags}"),
                format!("{secret}\n"),
            )
        };
        let config = has_profile.then(|| {
            format!(
                "# mine\n[profiles.prod]\nbase_url = \"{url}\"\nclient_id = \"old.acme\"\n\
                 client_secret = {{ file = \"prod.secret\" }}\n"
            )
        });
        let mut scene = Self {
            world,
            arguments: arguments.split(' ').map(str::to_owned).collect(),
            stdin,
            config,
            new: Default::default(),
        };
        scene.set();
        scene.run().outcome().succeeds_with_stderr();
        scene.new = (scene.read("config.toml"), scene.read("prod.secret"));
        scene
    }

    /// Restores the home directory to its earlier state.
    fn set(&self) {
        for folder in fs::read_dir(self.world.home()).unwrap() {
            fs::remove_dir_all(folder.unwrap().path()).unwrap();
        }
        if let Some(config) = &self.config {
            self.world.write_config(config);
            let folder = self.world.config_folder();
            fs::set_permissions(self.world.config(), fs::Permissions::from_mode(0o600)).unwrap();
            write_private(&folder.join("prod.secret"), &format!("{OLD_SECRET}\n"));
        }
    }

    fn run(&self) -> Run<'_> {
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        self.world.run_all(&arguments).stdin(self.stdin.as_str())
    }

    /// Runs under strace, which records the calls without their data and applies the options
    /// `also`.
    fn traced(&self, also: &str) -> Run<'_> {
        let arguments = self.arguments.join(" ");
        let script = format!("exec strace -f -qq -s 0 -o calls {also} \"$0\" {arguments}");
        let run = self.world.run(["-c", &script]).through_shell();
        run.stdin(self.stdin.as_str())
    }

    /// The content of a file in the configuration directory; empty if the file is missing.
    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.world.config_folder().join(name)).unwrap_or_default()
    }

    /// The system calls from the first one that creates a file or a directory to the last one.
    /// `make test` uses only some of them: those that change a file, and some of the others.
    fn moments(&self) -> Vec<Moment> {
        self.set();
        self.traced("").outcome().succeeds_with_stderr();
        let text = fs::read_to_string(self.world.path("calls")).unwrap();
        let main = text.split(' ').next().unwrap();
        let makes = |line: &str| line.contains(" mkdir(") || line.contains("O_CREAT");
        let first = text.lines().position(makes).unwrap();
        let mut moments = Vec::new();
        let mut names = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let of_main = line.strip_prefix(main).map(str::trim_start);
            assert!(
                index < first || of_main.is_some(),
                "no other thread is left when something is written: {line}"
            );
            let call = of_main.filter(|call| !call.starts_with(['<', '+', '-']));
            let Some((name, _)) = call.and_then(|call| call.split_once('(')) else {
                continue;
            };
            names.push(name);
            let changes = ["mkdir", "write", "fchmod", "rename", "unlink"].contains(&name);
            let is_chosen = changes || index.is_multiple_of(tries(7, 1));
            if index >= first && is_chosen {
                let nth = names.iter().filter(|it| **it == name).count();
                let call = name.to_owned();
                moments.push(Moment { call, nth });
            }
        }
        assert!(moments.len() > 10, "the calls were read: {moments:?}");
        moments
    }

    /// Kills a process at each call, before the call is executed.
    fn kill_everywhere(&self, claim: &Claim) {
        for (number, moment) in self.moments().iter().enumerate() {
            let then = [Then::Again, Then::Logout];
            // A short test does one of these, in turn.
            let then = if tries(0, 1) == 1 {
                &then[..]
            } else {
                &then[number % 2..][..1]
            };
            for then in then {
                self.set();
                let Moment { call, nth } = moment;
                let inject = format!("-e inject={call}:signal=KILL:when={nth}");
                let (status, _) = self.traced(&inject).start().status();
                // The network may have delivered the data in fewer pieces than before.
                if status.signal() == Some(SIGKILL) {
                    claim.holds(|| self.nothing_is_lost(moment, *then));
                }
            }
        }
    }

    fn nothing_is_lost(&self, moment: &Moment, then: Then) {
        let at = format!("killed at {} number {}", moment.call, moment.nth);
        let (config, secret) = (self.read("config.toml"), self.read("prod.secret"));
        let old = self.config.clone().unwrap_or_default().into_bytes();
        let old_secret = self.config.as_ref().map(|_| format!("{OLD_SECRET}\n"));
        let old_secret = old_secret.unwrap_or_default().into_bytes();
        assert!(
            config == old || config == self.new.0,
            "{at}: the old file or the new one"
        );
        assert!(
            secret == old_secret || secret == self.new.1,
            "{at}: the old secret or the new one"
        );
        let is_ahead = config == self.new.0 && secret != self.new.1;
        assert!(!is_ahead, "{at}: a new profile always has its secret");
        is_for_one_user(&self.world.home(), &at);

        if then == Then::Logout && !config.is_empty() {
            let run = self.world.run(["logout", "--yes", "--profile", "prod"]);
            run.outcome().succeeds_with_stderr();
            let comment = if self.config.is_some() {
                "# mine\n"
            } else {
                ""
            };
            let left: Vec<_> = files(&self.world)
                .into_iter()
                .map(|(_, bytes)| bytes)
                .collect();
            let expected = [comment.as_bytes()];
            let expected = if comment.is_empty() {
                &[][..]
            } else {
                &expected
            };
            assert_eq!(left, expected, "{at}: a logout removes all of the profile");
            return;
        }
        self.run().outcome().succeeds_with_stderr();
        let now = (self.read("config.toml"), self.read("prod.secret"));
        assert!(
            now == self.new,
            "{at}: the next process completes the change"
        );
        let left = files(&self.world);
        let is_left = |(path, _): &&(String, Vec<u8>)| path.ends_with(".new");
        assert_eq!(
            left.iter().find(is_left),
            None,
            "{at}: leftover files are removed"
        );
        self.world.run(["token", "--profile", "prod"]).succeeds();
    }
}

/// Checks that other users cannot read any file of a directory.
fn is_for_one_user(folder: &Path, at: &str) {
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
        if path.is_dir() {
            is_for_one_user(&path, at);
        } else {
            assert_eq!(mode, 0o600, "{at}: {}", path.display());
        }
    }
}

#[test]
fn a_kill_at_any_call_of_a_store_leaves_each_file_whole() {
    let claim = Claim::that(
        "SIGKILL at each system call of `store` from the first that creates a file, for a new \
         and for an existing profile: the configuration and the secret are each the old or the \
         new one, a profile has its secret, only its user can access the files, and the next \
         `store` or `logout` removes leftover files",
    );
    for has_profile in [false, true] {
        Fixture::new("store", has_profile).kill_everywhere(&claim);
    }
}

#[test]
fn a_kill_at_any_call_of_a_login_leaves_each_file_whole() {
    let claim = Claim::that("The same for `login`, including the cache entry");
    for has_profile in [false, true] {
        Fixture::new("login", has_profile).kill_everywhere(&claim);
    }
}
