//! The configuration command of a tool.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::{EditError, shell_word};
use crate::system::clock::Clock;
use crate::system::environment::Environment;

/// The environment variables that a tool needs to find its files. No other variable is passed on,
/// because it may contain a secret.
const VARIABLES: [&str; 14] = [
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "TMPDIR",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "GIT_CONFIG_GLOBAL",
    "KUBECONFIG",
    "GOENV",
];

/// The number of attempts while another process holds the lock of the file.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// The executable of an installed tool.
#[derive(Debug)]
pub(crate) struct ToolProgram {
    name: &'static str,
    /// The absolute path.
    path: PathBuf,
    variables: Vec<(&'static str, std::ffi::OsString)>,
}

/// One call of a tool's configuration command. It contains no text that the user wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ToolCommand(Vec<String>);

impl ToolCommand {
    pub(super) fn new<const N: usize>(arguments: [&str; N]) -> Self {
        Self(arguments.map(str::to_owned).to_vec())
    }

    pub(super) fn push(&mut self, argument: impl Into<String>) {
        self.0.push(argument.into());
    }
}

impl ToolProgram {
    /// Creates a program; `path` is the absolute path of the executable.
    pub(crate) fn new(name: &'static str, path: PathBuf, environment: &Environment) -> Self {
        let value = |name| environment.raw(name).map(|value| (name, value));
        Self {
            name,
            path,
            variables: VARIABLES.into_iter().filter_map(value).collect(),
        }
    }

    /// Returns the command in shell syntax.
    pub(crate) fn show(&self, command: &ToolCommand) -> String {
        let words = command.0.iter().map(|word| shell_word(word));
        let words: Vec<String> = [self.name.to_owned()].into_iter().chain(words).collect();
        words.join(" ")
    }

    /// Returns the output of a command that reads; `None` if it exits with `absent`.
    pub(super) fn query(
        &self,
        arguments: &[&str],
        absent: Option<i32>,
    ) -> Result<Option<String>, EditError> {
        let command = ToolCommand(arguments.iter().map(|it| (*it).to_owned()).collect());
        let output = self.start(&command)?;
        if absent.is_some() && output.status.code() == absent {
            return Ok(None);
        }
        if !output.status.success() {
            return Err(self.failed(&command, &output));
        }
        let text = String::from_utf8(output.stdout);
        let text = text.map_err(|_| EditError::Failed {
            command: self.show(&command),
            status: "its output is not UTF-8 text".into(),
        })?;
        Ok(Some(text))
    }

    /// Runs a command that changes the configuration.
    pub(crate) fn run(&self, command: &ToolCommand, clock: &dyn Clock) -> Result<(), EditError> {
        let mut attempt = 1;
        loop {
            let output = self.start(command)?;
            // git exits with 255 if another process has locked the file.
            let is_locked = self.name == "git" && output.status.code() == Some(255);
            if output.status.success() {
                return Ok(());
            }
            if !is_locked || attempt == ATTEMPTS {
                return Err(self.failed(command, &output));
            }
            attempt += 1;
            clock.sleep(PAUSE);
        }
    }

    fn start(&self, command: &ToolCommand) -> Result<Output, EditError> {
        let mut process = Command::new(&self.path);
        process
            .args(&command.0)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            // Request messages in English, and prevent the download of another version of Go.
            .env("LC_ALL", "C")
            .env("GOTOOLCHAIN", "local")
            .stdin(Stdio::null());
        process.output().map_err(|error| EditError::Failed {
            command: self.show(command),
            status: error.to_string(),
        })
    }

    /// The tool's message is not shown, because it can contain a line of the user's file.
    fn failed(&self, command: &ToolCommand, output: &Output) -> EditError {
        EditError::Failed {
            command: self.show(command),
            status: output.status.to_string(),
        }
    }
}
