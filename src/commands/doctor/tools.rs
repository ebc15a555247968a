//! Checks which tools are configured to call this program. Their files are only read, and only
//! searched for this program's name. `tool_config` knows the paths and formats of these files.

use std::path::PathBuf;

use super::finding::Finding;
use super::links;
use crate::commands::Context;
use crate::system::environment::Environment;
use crate::system::file::{self, Trust};
use crate::tool_config::{TOOLS, ToolEditor};

const NAME: &str = "tools";

/// The text that identifies a file that refers to this program.
const MENTION: &str = "cloudconnexa";

/// The largest tool file that is read, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A tool, a text in its file, and the program that the tool then starts by name.
const NEEDS: [(&str, &str, &str); 6] = [
    ("git", "= cloudconnexa\n", "git-credential-cloudconnexa"),
    (
        "docker",
        "\"cloudconnexa\"",
        "docker-credential-cloudconnexa",
    ),
    (
        "terraform",
        "credentials_helper \"cloudconnexa\"",
        "terraform-credentials-cloudconnexa",
    ),
    (
        "kubectl",
        "command: cloudconnexa-auth\n",
        "cloudconnexa-auth",
    ),
    (
        "cargo",
        "\"cargo-credential-cloudconnexa\"",
        "cargo-credential-cloudconnexa",
    ),
    ("go", "GOAUTH=cloudconnexa-auth ", "cloudconnexa-auth"),
];

/// Checks which tools are set up, and whether they find the program that they start.
pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let environment = context.environment;
    let mut findings = Vec::new();
    let mut wired = Vec::new();
    for tool in TOOLS {
        let Some((path, text)) = mention(tool, environment) else {
            continue;
        };
        let mut needs = NEEDS.iter().filter(|(name, ..)| *name == tool.name);
        let missing = needs.find(|(_, words, program)| {
            text.contains(words) && !links::is_found(environment, program)
        });
        let shown = crate::types::quote::path(&path);
        match missing {
            Some((.., program)) => findings.push(Finding::warning(
                NAME,
                format!(
                    "{} is told to ask `{program}` ({shown}), which is not found",
                    tool.name
                ),
                format!(
                    "`cloudconnexa-auth setup {}` makes a link of that name where the tool looks \
                     (PATH; Terraform: ~/.terraform.d/plugins)",
                    tool.name
                ),
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

/// The first of a tool's files that names this program, with its text. Project files are not
/// searched.
fn mention(tool: &ToolEditor, environment: &Environment) -> Option<(PathBuf, String)> {
    let place = (tool.place)(environment).ok()?;
    let mut paths = place.candidates;
    paths.push(place.usual);
    paths.retain(|_| !place.is_project);
    paths.into_iter().find_map(|path| {
        let bytes = file::read(&path, LARGEST, Trust::Anything).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        text.contains(MENTION).then(|| (path, text.into_owned()))
    })
}
