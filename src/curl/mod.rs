//! Parsers for curl's command line and for the output of curl. This module does not start curl.

mod arguments;
mod options;
mod redact;
mod rules;
#[cfg(any(unix, test, fuzzing))]
mod statuses;

pub(crate) use arguments::{ArgumentError, Arguments};
pub(crate) use redact::Redactor;
#[cfg(any(unix, test, fuzzing))]
pub(crate) use statuses::Statuses;
