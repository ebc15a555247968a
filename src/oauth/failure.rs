//! Why there is no token: the ways an exchange can end badly, told apart by what to do next.

use std::time::Duration;

/// An exchange that brought no token. No variant holds a secret or an unquoted foreign text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server understood and said no; the same request will be refused again.
    Refused {
        /// What kind of no it is, as far as the answer tells.
        refusal: Refusal,
        /// The HTTP status.
        status: u16,
        /// The `error` of the answer (RFC 6749 §5.2), quoted.
        error: Option<String>,
        /// The `error_description` or other text of the answer, quoted.
        description: Option<String>,
    },
    /// 429: too many requests with this credential. A retry helps after `pause`.
    RateLimited {
        /// How long the server asks to wait, where it says so; at most 5 minutes.
        pause: Option<Duration>,
    },
    /// No connection, no whole answer, or a server in trouble. A retry may help at once.
    Unavailable {
        /// What happened, in a few words.
        reason: String,
        /// The nearest cause, where there is one more.
        detail: Option<String>,
    },
    /// TLS, the proxy, a redirect or the answer itself is wrong. A retry at once will not help.
    Unusable {
        /// What is wrong, in a few words.
        reason: String,
        /// The nearest cause, where there is one more.
        detail: Option<String>,
        /// What to do, where it is known.
        hint: Option<String>,
    },
    /// The time that the request was given was up before the answer came.
    TimedOut {
        /// What was waited for.
        reason: String,
    },
}

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Unknown client ID or wrong secret, as far as the server says.
    Credentials,
    /// The switch "Enable API" is off.
    ApiDisabled,
    /// The credential is for other source addresses.
    SourceAddress,
    /// The credential's lifetime is over.
    Expired,
    /// The request itself: grant type, scope, audience or form.
    Request,
    /// 403 without a reason.
    Forbidden,
}
