//! What must hold of every parser whatever it is given: one function a parser, from bytes to a
//! panic where it does not hold.
//!
//! Not in the shipped program. The fuzz targets of `tests/fuzz` and the tests in `proof` call these
//! functions and nothing else, so whatever a fuzzer finds is a file that every `make test` tries
//! again. A claim about something private to a room stands in that room, in its own `claims`.
//!
//! A claim reads its bytes as lines where a parser is given several things: each line one of them,
//! the last all that is left.

#![allow(
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    reason = "a claim is told in the table, and it panics where it does not hold"
)]

mod command_line;
mod place;
#[cfg(test)]
mod proof;
mod request;
#[cfg(test)]
mod second;
mod setup;
mod text;

pub use crate::reading::{Place, Second};

/// A claim about one parser.
pub type Claim = fn(&[u8], Second);

/// Every claim by the name of its target in `tests/fuzz`.
pub const ALL: [(&str, Claim); 29] = [
    ("answer", |bytes, _| crate::oauth::claims::answer(bytes)),
    ("argv", |bytes, _| command_line::argv(bytes)),
    ("cargo", |bytes, second| {
        request::tool("cargo", bytes, second);
    }),
    ("challenges", |bytes, _| request::challenges(bytes)),
    ("configuration", crate::profile::claims::configuration),
    ("curl", |bytes, _| command_line::curl(bytes)),
    ("docker", |bytes, second| {
        request::tool("docker", bytes, second);
    }),
    ("duration", |bytes, _| text::duration(bytes)),
    ("entry", |bytes, _| crate::cache::claims::entry(bytes)),
    ("form", |bytes, _| crate::oauth::claims::form(bytes)),
    ("get", |bytes, second| request::tool("get", bytes, second)),
    ("git", |bytes, second| request::tool("git", bytes, second)),
    ("go", |bytes, second| request::tool("go", bytes, second)),
    ("helper", |bytes, _| request::helper(bytes)),
    ("hosts", crate::profile::claims::hosts),
    ("kubectl", |bytes, second| {
        request::tool("kubectl", bytes, second);
    }),
    ("lifetime", |bytes, _| {
        crate::profile::claims::lifetime(bytes);
    }),
    ("moment", |bytes, _| text::moment(bytes)),
    ("pnpm", |bytes, second| request::tool("pnpm", bytes, second)),
    ("proxy", |bytes, _| crate::oauth::claims::proxy(bytes)),
    ("setup", |bytes, _| setup::setup(bytes)),
    ("statuses", |bytes, _| text::statuses(bytes)),
    ("stored", |bytes, _| crate::profile::claims::stored(bytes)),
    ("template", |bytes, _| text::template(bytes)),
    ("terraform", |bytes, second| {
        request::tool("terraform", bytes, second);
    }),
    ("terraform-external", |bytes, second| {
        request::tool("terraform-external", bytes, second);
    }),
    ("typed", |bytes, _| text::typed(bytes)),
    ("uri", place::uri),
    ("veil", |bytes, _| text::veil(bytes)),
];

/// The claim of that name.
pub fn named(name: &str) -> Claim {
    let found = ALL.iter().find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| panic!("there is no claim `{name}`"))
        .1
}
