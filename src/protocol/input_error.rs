//! What can be wrong with what a tool sent.

use thiserror::Error;

/// Input that is not the protocol. The text shows no value of it: one of them may be a secret.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum InputError {
    /// Over `LARGEST_INPUT`.
    #[error("the input is larger than 1 MiB")]
    TooLarge,
    /// Not JSON, or not an object.
    #[error("the input is not a JSON object (line {line}, column {column})")]
    NotAnObject {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 at the end of the input.
        column: usize,
    },
    /// A member that stands twice in an object: two readers would take two different ones.
    #[error("a member stands twice in the input (line {line}, column {column})")]
    Duplicate {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// A line that is no `key=value`.
    #[error("line {0} of the input is not `key=value`")]
    NotAnAttribute(usize),
    /// A line over the protocol's limit.
    #[error("line {0} of the input is longer than 65535 bytes")]
    LineTooLong(usize),
    /// A member that has to be there.
    #[error("the input has no `{0}`")]
    Missing(&'static str),
    /// A member that is of another type.
    #[error("`{name}` in the input must be {wanted}")]
    Mistyped {
        /// Which member.
        name: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A member that means nothing here.
    #[error("the input has a member `{name}`, which is unknown")]
    Unknown {
        /// Its name, quoted.
        name: String,
        /// The nearest known one.
        meant: Option<&'static str>,
    },
    /// What has to be there beside the members of the input.
    #[error("{0} is missing")]
    NoOperand(&'static str),
    /// An operation that the protocol does not have. It is not shown: it may be a secret on its
    /// way to the wrong place.
    #[error("the operation is none of {0}")]
    UnknownOperation(&'static str),
    /// Members that exclude each other, or what this program does not do.
    #[error("{0}")]
    Refused(&'static str),
}
