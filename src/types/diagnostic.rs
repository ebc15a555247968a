//! What a person in trouble is told.

/// The three lines of an error, without the program's name. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// What happened; stands alone.
    pub(crate) what: String,
    /// The nearest cause.
    pub(crate) cause: Option<String>,
    /// What to do.
    pub(crate) hint: Option<String>,
}
