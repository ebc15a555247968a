//! How this program is made known to other tools: what goes into their own configuration files,
//! and how exactly that comes out again.
//!
//! A tool is one file here and one line in [`TOOLS`]. If the tool has a command that changes its
//! configuration, that command is used ([`CommandEditor`]). Otherwise two functions edit the text
//! of the file ([`FileEditor`]): our lines are between two marks (see `block`); in a format without
//! comments they are recognised by their value (see `docker`).

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

/// Every tool, in the order of `setup --list`.
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

/// A tool that this program can be made known to.
#[derive(Debug)]
pub(crate) struct ToolEditor {
    /// The name that `setup` knows it by.
    pub(crate) name: &'static str,
    /// Where its configuration stands.
    pub(crate) place: fn(&Environment) -> Result<Place, EditError>,
    /// The name under which it starts this program, where that is another one.
    pub(crate) link: Option<Link>,
    /// Whether it tells us the host, so that the profile can be picked by it.
    pub(crate) tells_host: bool,
    /// How its configuration is changed.
    pub(crate) method: Method,
    /// The variable that wins over the file.
    pub(crate) overridden_by: Option<&'static str>,
    /// What is left to the user.
    pub(crate) next: Option<&'static str>,
}

/// How a tool's configuration is changed.
#[derive(Debug)]
pub(crate) enum Method {
    /// `setup` edits the file.
    File(FileEditor),
    /// The tool changes its own file.
    Command(CommandEditor),
}

/// Two functions from text to text.
#[derive(Debug)]
pub(crate) struct FileEditor {
    /// Returns the text with our part in it; `None` is a missing file.
    pub(crate) add: fn(Option<&str>, &SetupRequest) -> Result<Edit, EditError>,
    /// Returns the text without our part.
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

/// Where a configuration file stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The first of these that exists is the file.
    pub(crate) candidates: Vec<PathBuf>,
    /// The file, where none exists.
    pub(crate) usual: PathBuf,
    /// Whether the file belongs to a project, so that others may read it.
    pub(crate) is_project: bool,
}

impl Place {
    /// Every file that it may be, each once.
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
    /// Its name.
    pub(crate) name: &'static str,
    /// Its folder, where the tool looks in one of its own.
    pub(crate) folder: Option<fn(&Environment) -> Option<PathBuf>>,
}

impl Link {
    const fn on_path(name: &'static str) -> Self {
        Self { name, folder: None }
    }
}

/// What is to be set up.
#[derive(Debug, Clone)]
pub(crate) struct SetupRequest {
    /// The hosts that the tool may ask a token for, never none.
    pub(crate) hosts: Vec<Host>,
    /// Where API paths begin.
    pub(crate) base_url: Option<String>,
    /// The profile, where the tool has to name it.
    pub(crate) profile: Option<String>,
    /// How this program is called: its name where that is found on `PATH`, else its path.
    pub(crate) program: String,
    /// Its path.
    pub(crate) program_path: String,
    /// The same two of the tool's link.
    pub(crate) link: String,
    /// Its path.
    pub(crate) link_path: String,
}

impl SetupRequest {
    /// ` --profile NAME`, or nothing.
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
    /// Without the port.
    pub(crate) name: String,
}

impl Host {
    /// The hosts of these origins, each once; plain HTTP only where there is nothing else.
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

/// Why nothing was changed. Mend it; a retry does not help.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum EditError {
    /// The file is not understood, so it is left alone.
    #[error("line {line}, column {column}: {problem}")]
    Broken {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The lines between our marks are not what we wrote, or a mark is missing.
    #[error("line {line}: what `setup` wrote here was changed since")]
    Changed {
        /// The first of them, from 1.
        line: usize,
    },
    /// Somebody else has the place.
    #[error("{0}")]
    Taken(String),
    /// It cannot be done for this profile or in this place.
    #[error("{0}")]
    Impossible(String),
    /// A command of the tool failed. A retry can help.
    #[error("`{command}` failed: {status}")]
    Failed {
        /// The command as a shell reads it.
        command: String,
        /// The exit status, or why it was not started.
        status: String,
    },
    /// A file of this name is there, and `setup` did not make it.
    #[error("the file is there, and it is not one that `setup` made")]
    NotOurs,
}

impl EditError {
    /// A place in a text, by its offset in bytes.
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

/// Where `~` is.
fn home(environment: &Environment) -> Result<PathBuf, EditError> {
    environment
        .home()
        .ok_or_else(|| EditError::Impossible("there is no home: HOME is not set".into()))
}

/// Whether a text needs no quotes in any of the formats.
fn is_plain(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c);
    !text.is_empty() && text.chars().all(is_plain)
}

/// A double-quoted string, as JSON, YAML, TOML and HCL read it alike.
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

/// One word for a POSIX shell.
fn shell_word(text: &str) -> String {
    if is_plain(&text.replace([':', '=', ','], "")) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
