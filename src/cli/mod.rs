//! The command line: `grammar` is the table of subcommands and flags. `parse` reads argv by it;
//! `help`, `man` and `complete` render help texts, man pages and completion scripts from it.

mod command;
mod complete;
mod given;
mod grammar;
mod help;
mod man;
mod parse;

use thiserror::Error;

pub(crate) use command::{
    Command, CommonOptions, ExecOptions, HeaderFormat, LoginOptions, SetupOptions,
};
pub(crate) use complete::completions;
pub(crate) use grammar::Subcommand;
pub(crate) use help::help;
pub(crate) use man::man;
pub(crate) use parse::{parse, parse_flags};

/// A command line that was understood.
#[expect(
    clippy::large_enum_variant,
    reason = "each process has one value, and it is not moved often"
)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Invocation {
    /// Run a subcommand.
    Run(Subcommand, Command, CommonOptions),
    /// Show the help of a subcommand, or of the program.
    Help(Option<Subcommand>),
    /// Show the version, for people.
    Version,
}

/// A command line that was not understood.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum UsageError {
    /// Nothing to do.
    #[error("no command is given")]
    NoSubcommand,
    /// Not a subcommand.
    #[error("there is no command `{name}`")]
    UnknownSubcommand {
        /// What was given, quoted.
        name: String,
        /// The nearest one.
        meant: Option<&'static str>,
    },
    /// Not a flag, or not one of this subcommand.
    #[error("`{subcommand}` has no flag `{flag}`")]
    UnknownFlag {
        /// The subcommand, or the program's name.
        subcommand: &'static str,
        /// What was given, quoted.
        flag: String,
        /// The nearest one.
        meant: Option<&'static str>,
    },
    /// A flag that is known to be dangerous and therefore not there.
    #[error("there is no flag for a secret: other users can read the command line")]
    SecretFlag,
    /// A word too many. It is not shown: it may be a secret on its way to the wrong place.
    #[error("`{subcommand}` takes no further argument")]
    UnexpectedArgument {
        /// The subcommand.
        subcommand: &'static str,
    },
    /// Nothing where another program's part has to be.
    #[error("`{subcommand}` needs a {placeholder}")]
    NoRest {
        /// The subcommand.
        subcommand: &'static str,
        /// What has to be there.
        placeholder: &'static str,
    },
    /// No word where one of a few has to be, or another one. It is not shown either.
    #[error("`{subcommand}` needs one of {words}")]
    NoOperand {
        /// The subcommand.
        subcommand: &'static str,
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
    Conflict(String, String),
    /// Something that is not UTF-8 where text is needed.
    #[error("an argument is not valid text")]
    NotText,
}
