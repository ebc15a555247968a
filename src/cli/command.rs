//! The options of each subcommand, as read from argv.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::protocol::Protocol;

/// The options that every subcommand accepts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CommonOptions {
    pub(crate) profile: Option<String>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) min_ttl: Option<Duration>,
    /// At least 1 s.
    pub(crate) timeout: Option<Duration>,
    pub(crate) refresh: bool,
    pub(crate) no_cache: bool,
    pub(crate) verbose: bool,
}

impl CommonOptions {
    /// These options, overridden by those that a tool sent in its request.
    pub(crate) fn with(&self, given: Self) -> Self {
        Self {
            profile: given.profile.or_else(|| self.profile.clone()),
            config: given.config.or_else(|| self.config.clone()),
            min_ttl: given.min_ttl.or(self.min_ttl),
            timeout: given.timeout.or(self.timeout),
            refresh: given.refresh || self.refresh,
            no_cache: given.no_cache || self.no_cache,
            verbose: given.verbose || self.verbose,
        }
    }
}

/// A subcommand with its own options and arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Token {
        json: bool,
        /// `--for`.
        uri: Option<String>,
    },
    Header {
        format: HeaderFormat,
        /// `--for`.
        uri: Option<String>,
    },
    Exec(ExecOptions),
    Curl {
        path: OsString,
        /// The values of `--allow-option`.
        allowed: Vec<String>,
        /// The arguments for curl.
        arguments: Vec<OsString>,
    },
    Login(LoginOptions),
    Logout {
        yes: bool,
    },
    Use {
        name: String,
    },
    Store,
    Erase,
    List,
    Status {
        json: bool,
    },
    Version,
    Doctor {
        json: bool,
    },
    Completions {
        shell: String,
    },
    Man {
        /// The subcommand whose man page is shown; without it, the page of the program.
        page: Option<String>,
    },
    Setup(SetupOptions),
    /// The protocol of a tool.
    Protocol {
        protocol: &'static Protocol,
        /// See [`Protocol::operands`].
        operands: Vec<String>,
    },
}

/// The output format of `header`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderFormat {
    /// The whole header line.
    Line,
    /// A line of a curl configuration file.
    Curl,
    /// A JSON object of headers.
    Json,
    /// The value without the name.
    Value,
}

/// The options of `exec`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ExecOptions {
    pub(crate) with_credentials: bool,
    /// The values of `--env`, as `NAME=TEMPLATE`.
    pub(crate) env: Vec<String>,
    /// `--for`.
    pub(crate) uri: Option<String>,
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

/// The options of `login`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LoginOptions {
    pub(crate) client_id: Option<String>,
    pub(crate) cloud_id: Option<String>,
    pub(crate) base_url: Option<String>,
    /// Make the profile the default.
    pub(crate) default: bool,
    pub(crate) lifetime: Option<String>,
    pub(crate) store: Option<String>,
    pub(crate) secret_stdin: bool,
}

/// The options of `setup`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SetupOptions {
    /// `--list`.
    List { json: bool },
    /// `--undo`.
    Undo { tool: String, print: bool },
    /// Configure a tool, optionally for these hosts only.
    Add {
        tool: String,
        hosts: Vec<String>,
        print: bool,
    },
}
