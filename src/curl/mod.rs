//! curl as another program sees it: what its command line asks for, and what its answer says.
//! Nothing is started here.

mod arguments;
mod options;
#[cfg(any(unix, test, fuzzing))]
mod statuses;
mod veil;

pub(crate) use arguments::{ArgumentError, Arguments};
#[cfg(any(unix, test, fuzzing))]
pub(crate) use statuses::Statuses;
pub(crate) use veil::Veil;
