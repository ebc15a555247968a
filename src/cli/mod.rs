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

/// A valid command line.
#[expect(
    clippy::large_enum_variant,
    reason = "each process has one value and rarely moves it"
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

/// An invalid command line.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum UsageError {
    /// The subcommand is missing.
    #[error("no command is given")]
    NoSubcommand,
    /// The subcommand does not exist.
    #[error("there is no command `{name}`")]
    UnknownSubcommand {
        /// The given word, quoted.
        name: String,
        /// The most similar subcommand.
        meant: Option<&'static str>,
    },
    /// The flag does not exist or does not apply to this subcommand.
    #[error("`{subcommand}` has no flag `{flag}`")]
    UnknownFlag {
        /// The subcommand, or the program's name.
        subcommand: &'static str,
        /// The given flag, quoted.
        flag: String,
        /// The most similar flag.
        meant: Option<&'static str>,
    },
    /// A flag of other programs that is dangerous, so this program does not have it.
    #[error("there is no flag for a secret: other users can read the command line")]
    SecretFlag,
    /// There are too many arguments. The extra argument is not shown, because it may be a misplaced
    /// secret.
    #[error("`{subcommand}` takes no further argument")]
    UnexpectedArgument {
        /// The subcommand.
        subcommand: &'static str,
    },
    /// The command line of another program is missing.
    #[error("`{subcommand}` needs a {placeholder}")]
    NoRest {
        /// The subcommand.
        subcommand: &'static str,
        /// The placeholder of the missing part.
        placeholder: &'static str,
    },
    /// An operand is missing or is not one of the allowed words. It is not shown, because it may be
    /// a secret.
    #[error("`{subcommand}` needs one of {words}")]
    NoOperand {
        /// The subcommand.
        subcommand: &'static str,
        /// The allowed words.
        words: &'static str,
    },
    /// The value of a flag is missing.
    #[error("`{flag}` needs a value: {placeholder}")]
    MissingValue {
        /// The flag.
        flag: String,
        /// The placeholder of the value.
        placeholder: &'static str,
    },
    /// The value of a flag is invalid.
    #[error("`{flag}`: {problem}")]
    BadValue {
        /// The flag.
        flag: String,
        /// The reason.
        problem: String,
    },
    /// The flags exclude each other.
    #[error("`{0}` and `{1}` exclude each other")]
    Conflict(String, String),
    /// An argument that must be text is not UTF-8.
    #[error("an argument is not valid text")]
    NotText,
}
