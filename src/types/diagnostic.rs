//! The message of an error.

/// The three parts of an error message, without the program's name. They contain no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// The error. It is understandable without the other parts.
    pub(crate) what: String,
    /// The direct cause.
    pub(crate) cause: Option<String>,
    /// How to fix it.
    pub(crate) hint: Option<String>,
}
