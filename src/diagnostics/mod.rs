//! Errors and messages for people: exit codes, stderr, colours.

mod background;
pub(crate) mod error;
pub(crate) mod reporter;
pub(crate) mod style;
