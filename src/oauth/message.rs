//! Error messages for people.

/// The class of an error: what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorClass {
    /// Fix the credentials or the request.
    Refused,
    /// Wait, then retry.
    RateLimited,
    /// A retry may help at once.
    Unavailable,
    /// A retry at once does not help.
    Unusable,
    /// The caller's time limit was too short. The server may be available.
    TimedOut,
}

/// An error message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorMessage {
    /// The class of the error.
    pub(crate) class: ErrorClass,
    /// A short description of the failure.
    pub(crate) reason: String,
    /// The immediate cause, if there is one.
    pub(crate) detail: Option<String>,
    /// The hint: how to fix the error, if it is known.
    pub(crate) hint: Option<String>,
}
