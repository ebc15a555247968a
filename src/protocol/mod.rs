//! The protocols by which other programs ask for the token: bytes in, bytes out.
//!
//! An adaptor knows no profile, no cache and no network. It reads what the caller sent into a
//! request, and writes a [`Reply`] in the caller's own words.

pub(crate) mod helper;

use thiserror::Error;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::token::AccessToken;

/// The most that is read from stdin, in bytes.
pub(crate) const LARGEST_INPUT: usize = 1024 * 1024;

/// What a caller is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A token, and the moment until which this program would hand it out itself.
    Credential {
        /// The token.
        access_token: AccessToken,
        /// Its end, for this caller.
        usable_until: OffsetDateTime,
    },
    /// The URI is none of ours: the caller goes on without us.
    NotMine,
}

/// Input that is not the protocol. The text shows no value of it: one of them may be a secret.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum InputError {
    /// Over [`LARGEST_INPUT`].
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
    /// Members that exclude each other, or a flag.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// RFC 3339 in UTC with whole seconds and `Z`: the form that every caller reads. Bazel's parser
/// fails the build on a fraction.
pub(crate) fn timestamp(at: OffsetDateTime) -> String {
    let whole = at
        .to_offset(time::UtcOffset::UTC)
        .replace_nanosecond(0)
        .unwrap_or(at);
    whole.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::timestamp;

    #[test]
    fn a_timestamp_has_whole_seconds_and_a_z() {
        let at = OffsetDateTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_999);
        assert_eq!(
            timestamp(at),
            "2023-11-14T22:13:20Z",
            "rounded down: never later than true"
        );
    }
}
