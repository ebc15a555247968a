//! The command line: `grammar` is the one table of verbs and flags, `parse` reads argv by it, and
//! `help`, `man` and `complete` write help pages, manual pages and completion scripts from it.

mod complete;
mod grammar;
mod help;
mod man;
mod parse;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

pub(crate) use complete::completions;
pub(crate) use grammar::Verb;
pub(crate) use help::help;
pub(crate) use man::man;
pub(crate) use parse::{parse, parse_flags};

/// What a run was asked to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Carry out a verb.
    Run(Verb, Box<Options>),
    /// Show the help of a verb, or of the program.
    Help(Option<Verb>),
    /// Show the version, for people.
    Version,
}

/// Every flag, as given.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that is given or not"
)]
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `--profile`.
    pub(crate) profile: Option<String>,
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// `--min-ttl`.
    pub(crate) min_ttl: Option<Duration>,
    /// `--timeout`, never zero.
    pub(crate) timeout: Option<Duration>,
    /// `--refresh`.
    pub(crate) refresh: bool,
    /// `--no-cache`.
    pub(crate) no_cache: bool,
    /// `-v`.
    pub(crate) verbose: bool,
    /// `--json`.
    pub(crate) json: bool,
    /// `--curl`.
    pub(crate) curl: bool,
    /// `--value`.
    pub(crate) value: bool,
    /// `--for`.
    pub(crate) uri: Option<String>,
    /// `--with-credentials`.
    pub(crate) with_credentials: bool,
    /// Every `--env`.
    pub(crate) env: Vec<String>,
    /// `--client-id`.
    pub(crate) client_id: Option<String>,
    /// `--cloud-id`.
    pub(crate) cloud_id: Option<String>,
    /// `--base-url`.
    pub(crate) base_url: Option<String>,
    /// `--lifetime`.
    pub(crate) lifetime: Option<String>,
    /// `--store`.
    pub(crate) store: Option<String>,
    /// `--secret-stdin`.
    pub(crate) secret_stdin: bool,
    /// `--yes`.
    pub(crate) yes: bool,
    /// `--list`.
    pub(crate) list: bool,
    /// `--print`.
    pub(crate) print: bool,
    /// `--undo`.
    pub(crate) undo: bool,
    /// Every `--host`.
    pub(crate) hosts: Vec<String>,
    /// What stands behind the verb.
    pub(crate) operands: Vec<String>,
    /// What stands behind that and is another program's.
    pub(crate) rest: Vec<OsString>,
}

impl Options {
    /// These flags, and those that a tool handed over in its request, which win.
    pub(crate) fn with(&self, given: Self) -> Self {
        Self {
            profile: given.profile.or_else(|| self.profile.clone()),
            config: given.config.or_else(|| self.config.clone()),
            min_ttl: given.min_ttl.or(self.min_ttl),
            timeout: given.timeout.or(self.timeout),
            refresh: given.refresh || self.refresh,
            no_cache: given.no_cache || self.no_cache,
            verbose: given.verbose || self.verbose,
            ..Self::default()
        }
    }
}

/// A command line that is not understood. Mend it.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum UsageError {
    /// Nothing to do.
    #[error("no command is given")]
    NoVerb,
    /// Not a verb.
    #[error("there is no command `{name}`")]
    UnknownVerb {
        /// What was given, quoted.
        name: String,
        /// The nearest one.
        meant: Option<&'static str>,
    },
    /// Not a flag, or not one of this verb.
    #[error("`{verb}` has no flag `{flag}`")]
    UnknownFlag {
        /// The verb, or the program's name.
        verb: &'static str,
        /// What was given, quoted.
        flag: String,
        /// The nearest one.
        meant: Option<&'static str>,
    },
    /// A flag that is known to be dangerous and therefore not there.
    #[error("there is no flag for a secret: other users can read the command line")]
    SecretFlag,
    /// A word too many. It is not shown: it may be a secret on its way to the wrong place.
    #[error("`{verb}` takes no further argument")]
    UnexpectedArgument {
        /// The verb.
        verb: &'static str,
    },
    /// Nothing where another program's part has to be.
    #[error("`{verb}` needs a {placeholder}")]
    NoRest {
        /// The verb.
        verb: &'static str,
        /// What has to be there.
        placeholder: &'static str,
    },
    /// No word where one of a few has to be, or another one. It is not shown either.
    #[error("`{verb}` needs one of {words}")]
    NoOperand {
        /// The verb.
        verb: &'static str,
        /// The words.
        words: &'static str,
    },
    /// A flag without its value.
    #[error("`{flag}` needs a value: {placeholder}")]
    MissingValue {
        /// The flag.
        flag: String,
        /// What the value is.
        placeholder: &'static str,
    },
    /// A flag with a value that it cannot have.
    #[error("`{flag}`: {problem}")]
    BadValue {
        /// The flag.
        flag: String,
        /// What is wrong with the value.
        problem: String,
    },
    /// Flags that exclude each other.
    #[error("`{0}` and `{1}` exclude each other")]
    Conflict(&'static str, &'static str),
    /// Something that is not UTF-8 where text is needed.
    #[error("an argument is not valid text")]
    NotText,
}
