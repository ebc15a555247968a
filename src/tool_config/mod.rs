//! Adds this program to the configuration files of other tools, and removes it again exactly.
//!
//! A tool is one file here and one line in [`TOOLS`]. If the tool has a command that changes its
//! configuration, that command is used ([`CommandEditor`]). Otherwise two functions edit the text
//! of the file ([`FileEditor`]). Our lines are between two markers (see `block`). In a format
//! without comments they are recognised by their value (see `docker`).

mod ansible;
mod bazel;
mod block;
mod cargo;
mod docker;
mod edit;
mod git;
mod go;
mod hcl;
mod json_text;
mod kubectl;
mod make;
mod pnpm;
mod program;
mod terraform;

use std::path::PathBuf;

use thiserror::Error;

use crate::system::environment::Environment;
use crate::types::uri::{Origin, Scheme};

pub(crate) use edit::{Change, Edit};
pub(crate) use program::{ToolCommand, ToolProgram};

/// All tools, in the order of `setup --list`.
pub(crate) const TOOLS: [&ToolEditor; 10] = [
    &git::TOOL,
    &docker::TOOL,
    &terraform::TOOL,
    &kubectl::TOOL,
    &bazel::TOOL,
    &cargo::TOOL,
    &go::TOOL,
    &pnpm::TOOL,
    &make::TOOL,
    &ansible::TOOL,
];

/// A tool that `setup` can configure.
#[derive(Debug)]
pub(crate) struct ToolEditor {
    /// The name of the tool on the command line of `setup`.
    pub(crate) name: &'static str,
    /// The location of its configuration file.
    pub(crate) place: fn(&Environment) -> Result<Place, EditError>,
    /// The link through which the tool starts this program, if it needs another name.
    pub(crate) link: Option<Link>,
    /// Whether the tool passes the host, so that it can select the profile.
    pub(crate) tells_host: bool,
    /// The method of changing the configuration.
    pub(crate) method: Method,
    /// The environment variable that overrides the file.
    pub(crate) overridden_by: Option<&'static str>,
    /// The steps that the user has to do.
    pub(crate) next: Option<&'static str>,
}

/// The method of changing a tool's configuration.
#[derive(Debug)]
pub(crate) enum Method {
    /// `setup` edits the file.
    File(FileEditor),
    /// The tool's own command changes the file.
    Command(CommandEditor),
}

/// Two functions that return the edited text.
#[derive(Debug)]
pub(crate) struct FileEditor {
    /// Returns the text with our part added; `None` is a missing file.
    pub(crate) add: fn(Option<&str>, &SetupRequest) -> Result<Edit, EditError>,
    /// Returns the text with our part removed.
    pub(crate) remove: fn(&str) -> Result<Edit, EditError>,
}

/// Two functions that read the configuration with the tool's own command, and return the commands
/// that change it.
#[derive(Debug)]
pub(crate) struct CommandEditor {
    /// Returns the commands that add our part.
    pub(crate) add: fn(&ToolProgram, &Place, &SetupRequest) -> Result<Vec<ToolCommand>, EditError>,
    /// Returns the commands that remove our part.
    pub(crate) remove: fn(&ToolProgram, &Place) -> Result<Vec<ToolCommand>, EditError>,
    /// Returns the text that a user can add to the file if the tool is not installed.
    pub(crate) by_hand: fn(&SetupRequest) -> String,
}

/// The location of a configuration file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The possible files. The first one that exists is used.
    pub(crate) candidates: Vec<PathBuf>,
    /// The file that is created if none exists.
    pub(crate) usual: PathBuf,
    /// Whether the file belongs to a project, so that other users may read it.
    pub(crate) is_project: bool,
}

impl Place {
    /// Returns all possible files, each once.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        let is_new = !self.candidates.contains(&self.usual);
        let usual = is_new.then_some(&self.usual);
        self.candidates.iter().chain(usual)
    }

    fn one(path: PathBuf) -> Self {
        Self {
            candidates: Vec::new(),
            usual: path,
            is_project: false,
        }
    }

    fn project(name: &str) -> Self {
        Self {
            is_project: true,
            ..Self::one(PathBuf::from(name))
        }
    }
}

/// A link to this program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// The name of the link.
    pub(crate) name: &'static str,
    /// The directory of the link, if the tool searches its own directory.
    pub(crate) folder: Option<fn(&Environment) -> Option<PathBuf>>,
}

impl Link {
    const fn on_path(name: &'static str) -> Self {
        Self { name, folder: None }
    }
}

/// The settings that `setup` writes.
#[derive(Debug, Clone)]
pub(crate) struct SetupRequest {
    /// The hosts for which the tool may request a token; never empty.
    pub(crate) hosts: Vec<Host>,
    /// The base URL for API paths.
    pub(crate) base_url: Option<String>,
    /// The profile, if the tool has to name it.
    pub(crate) profile: Option<String>,
    /// The command that starts this program: its name if `PATH` finds it, else its path.
    pub(crate) program: String,
    /// The absolute path of this program.
    pub(crate) program_path: String,
    /// The command that starts the tool's link: its name if `PATH` finds it, else its path.
    pub(crate) link: String,
    /// The absolute path of the link.
    pub(crate) link_path: String,
}

impl SetupRequest {
    /// Returns ` --profile NAME`, or an empty string.
    fn profile_argument(&self) -> String {
        let profile = self.profile.as_ref();
        let argument = profile.map(|name| format!(" --profile {name}"));
        argument.unwrap_or_default()
    }
}

/// A host of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    /// `https://host` or `https://host:port`.
    pub(crate) url: String,
    /// `host` or `host:port`.
    pub(crate) authority: String,
    /// The host without the port.
    pub(crate) name: String,
}

impl Host {
    /// Returns the hosts of these origins, each once. Plain HTTP is used only if a host has no
    /// HTTPS origin.
    pub(crate) fn of_origins<'a>(origins: impl IntoIterator<Item = &'a Origin>) -> Vec<Self> {
        let mut sorted: Vec<&Origin> = origins.into_iter().collect();
        sorted.sort_by_key(|origin| origin.scheme() != Scheme::Https);
        let mut hosts: Vec<Self> = Vec::new();
        for origin in sorted {
            let url = origin.to_string();
            let authority = url
                .split_once("://")
                .map_or("", |(_, rest)| rest)
                .to_owned();
            if hosts.iter().all(|host| host.authority != authority) {
                let name = origin.host().to_owned();
                hosts.push(Self {
                    url,
                    authority,
                    name,
                });
            }
        }
        hosts
    }
}

/// The reason why nothing was changed. The user has to fix it; except for a failed command, a retry
/// does not help.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum EditError {
    /// The file could not be parsed, so it was not changed.
    #[error("line {line}, column {column}: {problem}")]
    Broken {
        /// The line number, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// The problem at that position.
        problem: String,
    },
    /// The lines between our markers were changed, or a marker is missing.
    #[error("line {line}: what `setup` wrote here was changed since")]
    Changed {
        /// The number of the first of these lines, from 1.
        line: usize,
    },
    /// Another value is already set there.
    #[error("{0}")]
    Taken(String),
    /// It is not possible for this profile or at this position.
    #[error("{0}")]
    Impossible(String),
    /// A command of the tool failed. A retry can help.
    #[error("`{command}` failed: {status}")]
    Failed {
        /// The command in shell syntax.
        command: String,
        /// The exit status, or the reason why the command did not start.
        status: String,
    },
    /// A file of this name exists, and `setup` did not create it.
    #[error("the file is there, and it is not one that `setup` made")]
    NotOurs,
}

impl EditError {
    /// A position in a text, converted from an offset in bytes.
    fn at(text: &str, offset: usize, problem: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let last = before.rsplit('\n').next().unwrap_or_default();
        Self::Broken {
            line: before.matches('\n').count() + 1,
            column: last.chars().count() + 1,
            problem: problem.into(),
        }
    }
}

/// Returns the home directory.
fn home(environment: &Environment) -> Result<PathBuf, EditError> {
    environment
        .home()
        .ok_or_else(|| EditError::Impossible("there is no home: HOME is not set".into()))
}

/// Returns whether a text needs no quotes in any of the formats.
fn is_plain(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
    !text.is_empty() && text.chars().all(is_plain)
}

/// Returns a double-quoted string that is valid in JSON, YAML, TOML and HCL.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

/// Quotes one word for a POSIX shell.
fn shell_word(text: &str) -> String {
    if is_plain(&text.replace([':', '=', ','], "")) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
