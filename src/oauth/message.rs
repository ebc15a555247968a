//! The form in which errors reach people.

/// What an error means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    /// Fix the credentials or the request.
    Refused,
    /// Wait.
    RateLimited,
    /// A retry may help at once.
    Unavailable,
    /// A retry at once does not help.
    Unusable,
    /// The caller's time was too short; it says nothing about the server.
    TimedOut,
}

/// An error in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorMessage {
    /// What the error means for the caller.
    pub(crate) class: ErrorClass,
    /// What happened, in a few words.
    pub(crate) reason: String,
    /// The nearest cause, if there is one.
    pub(crate) detail: Option<String>,
    /// What to do, if it is known.
    pub(crate) hint: Option<String>,
}
