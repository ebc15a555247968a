//! Which tools are told to ask this program. Their files are read only, and for its name alone:
//! what stands there is the tools' business, and writing it is that of `setup`.

use std::path::PathBuf;

use super::finding::Finding;
use super::links;
use crate::command::Context;
use crate::environment::Environment;
use crate::file::{self, Trust};

const NAME: &str = "tools";

/// The word that no file holds by accident.
const MENTION: &str = "cloudconnexa";

/// The largest file of a tool that is read, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A tool, and where it is told whom to ask.
struct Tool {
    name: &'static str,
    /// The variable that names its file (or files), or the folder of its file.
    variable: Option<(&'static str, Option<&'static str>)>,
    /// Its usual files below the home.
    files: &'static [&'static str],
    /// A text in them that means a program of this name, looked for by the tool.
    needs: Option<(&'static str, &'static str)>,
}

/// A tool more is a line more.
const TOOLS: [Tool; 8] = [
    Tool {
        name: "git",
        variable: Some(("GIT_CONFIG_GLOBAL", None)),
        files: &[".gitconfig", ".config/git/config"],
        needs: Some(("= cloudconnexa\n", "git-credential-cloudconnexa")),
    },
    Tool {
        name: "docker",
        variable: Some(("DOCKER_CONFIG", Some("config.json"))),
        files: &[".docker/config.json"],
        needs: Some(("\"cloudconnexa\"", "docker-credential-cloudconnexa")),
    },
    Tool {
        name: "terraform",
        variable: Some(("TF_CLI_CONFIG_FILE", None)),
        files: &[".terraformrc"],
        needs: Some((
            "credentials_helper \"cloudconnexa\"",
            "terraform-credentials-cloudconnexa",
        )),
    },
    Tool {
        name: "kubectl",
        variable: Some(("KUBECONFIG", None)),
        files: &[".kube/config"],
        needs: Some(("command: cloudconnexa-auth\n", "cloudconnexa-auth")),
    },
    Tool {
        name: "bazel",
        variable: None,
        files: &[".bazelrc"],
        needs: None,
    },
    Tool {
        name: "cargo",
        variable: Some(("CARGO_HOME", Some("config.toml"))),
        files: &[".cargo/config.toml"],
        needs: Some((
            "\"cargo-credential-cloudconnexa\"",
            "cargo-credential-cloudconnexa",
        )),
    },
    Tool {
        name: "go",
        variable: Some(("GOENV", None)),
        files: &[".config/go/env"],
        needs: Some(("GOAUTH=cloudconnexa-auth ", "cloudconnexa-auth")),
    },
    Tool {
        name: "pnpm",
        variable: Some(("NPM_CONFIG_USERCONFIG", None)),
        files: &[".npmrc", ".config/pnpm/rc"],
        needs: None,
    },
];

/// Looks which of them are wired, and whether they find what they are told to ask.
pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let environment = context.environment;
    let mut findings = Vec::new();
    let mut wired = Vec::new();
    for tool in &TOOLS {
        let Some((path, text)) = tool.mention(environment) else {
            continue;
        };
        let missing = tool
            .needs
            .filter(|(words, program)| {
                text.contains(words) && !links::is_found(environment, program)
            })
            .map(|(_, program)| program);
        let shown = path.display();
        match missing {
            Some(program) => findings.push(Finding::warning(
                NAME,
                format!(
                    "{} is told to ask `{program}` ({shown}), which is not found",
                    tool.name
                ),
                "put a link of that name to this program where the tool looks (PATH; Terraform: \
                 ~/.terraform.d/plugins)",
            )),
            None => wired.push(format!("{} ({shown})", tool.name)),
        }
    }
    if !wired.is_empty() {
        findings.push(Finding::ok(NAME, wired.join(", ")));
    }
    if findings.is_empty() {
        let what = "none is told to ask this program by its file in your home";
        findings.push(Finding::skipped(NAME, what));
    }
    findings
}

impl Tool {
    /// The first of its files that names this program, with its text.
    fn mention(&self, environment: &Environment) -> Option<(PathBuf, String)> {
        let named: Vec<PathBuf> = match self.variable {
            Some((name, folder_of)) => {
                let value = environment.raw(name).unwrap_or_default();
                let paths = std::env::split_paths(&value);
                let paths = paths.filter(|path| !path.as_os_str().is_empty());
                paths
                    .map(|path| folder_of.map_or(path.clone(), |file| path.join(file)))
                    .collect()
            }
            None => Vec::new(),
        };
        let usual = environment.home().into_iter();
        let usual = usual.flat_map(|home| self.files.iter().map(move |file| home.join(file)));
        // What a variable names takes the place of the usual file.
        let paths = if named.is_empty() {
            usual.collect()
        } else {
            named
        };
        paths.into_iter().find_map(|path| {
            let bytes = file::read(&path, LARGEST, Trust::Anything).ok()?;
            let text = String::from_utf8_lossy(&bytes);
            text.contains(MENTION).then(|| (path, text.into_owned()))
        })
    }
}
