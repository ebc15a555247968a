//! Completion scripts, each loaded by its own shell. Debian has no package of PowerShell, so its
//! script is only searched for expected words.

use std::fs;
use std::path::PathBuf;

use cloudconnexa_sandbox::Sandbox;

use crate::clients::{client, links, run, tool};
use crate::harness::World;

/// A shell that has loaded its completion script.
struct Typist {
    world: World,
    shell: &'static str,
    script: PathBuf,
}

impl Typist {
    /// Creates a shell, with two profiles; one of them is in another file.
    fn new(shell: &'static str) -> Self {
        let world = World::without_profile(Sandbox::builder());
        world.write_config(&world.profile_text("prod"));
        let lab = world
            .profile_text("lab")
            .replace("\"lab.secret\"", "\"none.secret\"");
        fs::write(world.home().join("other.toml"), lab).unwrap();
        links(&world);
        // zsh finds a script by its name.
        let folder = world.path("functions");
        fs::create_dir(&folder).unwrap();
        let script = folder.join("_cloudconnexa-auth");
        fs::write(&script, world.run(["completions", shell]).succeeds()).unwrap();
        Self {
            world,
            shell,
            script,
        }
    }

    /// Returns the completions of the last word, sorted.
    #[track_caller]
    fn offers(&self, words: &[&str]) -> Vec<String> {
        let driver = format!(
            "{}/tests/shells/complete.{}",
            env!("CARGO_MANIFEST_DIR"),
            self.shell
        );
        let mut command = client(&self.world, tool(self.shell));
        match self.shell {
            "bash" => command.arg("--norc"),
            "zsh" => command.arg("-f"),
            _ => command.arg("--no-config"),
        };
        command.arg(driver);
        let line = format!("cloudconnexa-auth {}", words.join(" "));
        match self.shell {
            "bash" => {
                let words = line.split(' ').flat_map(|word| match word.split_once('=') {
                    Some((flag, value)) => vec![flag, "=", value],
                    None => vec![word],
                });
                // For bash, a trailing `=` is a word of its own.
                let words = words.collect::<Vec<_>>();
                let words = words
                    .strip_suffix(&["=", ""])
                    .map_or(words.clone(), |rest| [rest, &["="]].concat());
                command.arg(&self.script).args(words)
            }
            "zsh" => command.arg(self.script.parent().unwrap()).arg(line),
            _ => command.arg(&self.script).arg(line),
        };
        let ended = run(&self.world, &mut command);
        assert_eq!(
            (ended.code, ended.stderr.as_str()),
            (Some(0), ""),
            "{words:?}"
        );
        let mut offers: Vec<String> = ended
            .stdout
            .lines()
            .filter(|line| !line.is_empty())
            // fish completes the whole word.
            .map(|line| line.strip_prefix("--profile=").unwrap_or(line).to_owned())
            .collect();
        offers.sort();
        offers
    }
}

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

#[test]
fn commands_are_completed() {
    for shell in SHELLS {
        let typist = Typist::new(shell);
        for (words, expected) in [
            (&["stat"][..], &["status"][..]),
            (&["--profile", "prod", "hea"], &["header"]),
            (&["help", "sto"], &["store"]),
            (&["man", "terraform-"], &["terraform-external"]),
        ] {
            assert_eq!(typist.offers(words), expected, "{shell}: {words:?}");
        }
    }
}

#[test]
fn flags_and_operands_are_completed_for_the_command_that_has_them() {
    for shell in SHELLS {
        let typist = Typist::new(shell);
        for (words, expected) in [
            (&["token", "--js"][..], &["--json"][..]),
            (&["token", "--cur"], &[]),
            (&["header", "--cur"], &["--curl"]),
            (&["token", "--profile", "prod", "--min"], &["--min-ttl"]),
            (&["--vers"], &["--version"]),
            (&["cargo", "--cargo"], &["--cargo-plugin"]),
            (&["git", "er"], &["erase"]),
            (&["git", "get", "er"], &[]),
            (&["completions", "z"], &["zsh"]),
            (&["login", "--lifetime", "6"], &["6mo"]),
            (&["setup", "terr"], &["terraform"]),
        ] {
            assert_eq!(typist.offers(words), expected, "{shell}: {words:?}");
        }
    }
}

#[test]
fn profiles_are_completed_from_the_configuration_that_is_meant() {
    for shell in SHELLS {
        let typist = Typist::new(shell);
        for (words, expected) in [
            (&["token", "--profile", ""][..], &["prod"][..]),
            (&["--profile="], &["prod"]),
            (&["token", "--profile", "x"], &[]),
            (
                &["token", "--config", "other.toml", "--profile", ""],
                &["lab"],
            ),
            (
                &["--config", "other.toml", "token", "--profile", ""],
                &["lab"],
            ),
            (&["--config", "missing.toml", "--profile", ""], &[]),
        ] {
            assert_eq!(typist.offers(words), expected, "{shell}: {words:?}");
        }
        assert!(
            typist.world.sandbox.requests().is_empty(),
            "{shell}: Tab sends no request"
        );
    }
}

#[test]
fn behind_exec_another_programs_command_line_begins() {
    for shell in SHELLS {
        let typist = Typist::new(shell);
        let expected = ["git-credential-cloudconnexa"];
        let offers = typist.offers(&["exec", "--", "git-credential-cloudc"]);
        assert_eq!(offers, expected, "{shell}");
        if shell != "bash" {
            // In bash this needs the package bash-completion.
            let offers = typist.offers(&["exec", "--", "cloudconnexa-auth", "header", "--cu"]);
            assert_eq!(offers, ["--curl"], "{shell}");
        }
    }
}

#[test]
fn behind_curls_path_files_are_offered_and_no_flag_of_ours() {
    for shell in SHELLS {
        let typist = Typist::new(shell);
        let offers = typist.offers(&["curl", "/api/v1/networks", "oth"]);
        assert_eq!(offers, ["other.toml"], "{shell}");
        let offers = typist.offers(&["curl", "/api/v1/networks", "--prof"]);
        assert!(offers.is_empty(), "{shell}: {offers:?}");
    }
}

#[test]
fn powershells_script_has_its_words() {
    let world = World::new();
    let script = world.run(["completions", "PowerShell"]).succeeds();
    for words in [
        "Register-ArgumentCompleter -Native",
        "'status' = 'Show profiles",
        "'git 0' = 'get store erase capability'",
        "be git''s",
    ] {
        assert!(
            script.to_lowercase().contains(&words.to_lowercase()),
            "{words}"
        );
    }
    assert_eq!(
        script.replace("\"'\"", "").matches('\'').count() % 2,
        0,
        "quotes are balanced"
    );
}

#[test]
fn a_shell_that_is_not_known_is_a_usage_error() {
    let world = World::new();
    for arguments in [&["completions"][..], &["completions", "tcsh"]] {
        let stderr = world.run_all(arguments).fails(2);
        assert!(
            stderr.contains("`bash`, `zsh`, `fish` and `powershell`"),
            "{stderr}"
        );
    }
}
