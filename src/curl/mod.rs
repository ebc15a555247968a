//! curl as another program sees it: what its command line asks for, and what its answer says.
//! Nothing is started here.

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
