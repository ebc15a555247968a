//! Errors in the input from a tool.

use thiserror::Error;

/// Input that does not follow the protocol. The message shows no value, because a value may be a
/// secret.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum InputError {
    /// The input is longer than `LARGEST_INPUT`.
    #[error("the input is larger than 1 MiB")]
    TooLarge,
    /// The input is not JSON, or not an object.
    #[error("the input is not a JSON object (line {line}, column {column})")]
    NotAnObject {
        /// The line, from 1.
        line: usize,
        /// The column, from 1; 0 at the end of the input.
        column: usize,
    },
    /// A member is repeated in an object. Two parsers could use different values.
    #[error("a member stands twice in the input (line {line}, column {column})")]
    Duplicate {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// A line is not a `key=value` pair.
    #[error("line {0} of the input is not `key=value`")]
    NotAnAttribute(usize),
    /// A line is longer than the protocol's limit.
    #[error("line {0} of the input is longer than 65535 bytes")]
    LineTooLong(usize),
    /// A required member is missing.
    #[error("the input has no `{0}`")]
    Missing(&'static str),
    /// A member has the wrong type.
    #[error("`{name}` in the input must be {wanted}")]
    Mistyped {
        /// The name of the member.
        name: &'static str,
        /// The expected type.
        wanted: &'static str,
    },
    /// A member is unknown.
    #[error("the input has a member `{name}`, which is unknown")]
    Unknown {
        /// The name of the member, quoted.
        name: String,
        /// The most similar known member.
        meant: Option<&'static str>,
    },
    /// A required argument or variable is missing.
    #[error("{0} is missing")]
    NoOperand(&'static str),
    /// The protocol does not have this operation. It is not shown, because it may be a misplaced
    /// secret.
    #[error("the operation is none of {0}")]
    UnknownOperation(&'static str),
    /// Members exclude each other, or the request is not supported.
    #[error("{0}")]
    Refused(&'static str),
}
