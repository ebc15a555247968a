//! Properties of the parsers. Each parser has one function that takes bytes and panics if the
//! property does not hold.
//!
//! This module is not part of the shipped program. The fuzz targets in `fuzz/` and the tests in
//! `tests` call these functions, so every `make test` also checks the inputs that a fuzzer found.
//! If a parser takes several values, each line of the input is one value, and the last value is the
//! rest of the input.
//! fuzz/README.md states each property in one sentence. A property that needs private items is a
//! child module of their module (`#[path]`). Its file is also in this directory.

#![allow(
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    reason = "a property panics if it does not hold"
)]

mod command_line;
pub(crate) mod reference_parser;
mod request;
mod setup;
#[cfg(test)]
mod tests;
mod text;
mod uri;
#[cfg(test)]
mod whatwg_url;

pub use reference_parser::{ParsedUrl, ReferenceParser};

/// A property of one parser.
pub type Property = fn(&[u8], ReferenceParser);

/// All properties, by the name of their fuzz target.
pub const PROPERTIES: [(&str, Property); 29] = [
    ("answer", |bytes, _| crate::oauth::fuzzing::answer(bytes)),
    ("argv", |bytes, _| command_line::argv(bytes)),
    ("cargo", |bytes, reference| {
        request::tool("cargo", bytes, reference);
    }),
    ("challenges", |bytes, _| request::challenges(bytes)),
    ("configuration", crate::config::fuzzing::configuration),
    ("curl", |bytes, _| command_line::curl(bytes)),
    ("docker", |bytes, reference| {
        request::tool("docker", bytes, reference);
    }),
    ("duration", |bytes, _| text::duration(bytes)),
    ("entry", |bytes, _| crate::cache::fuzzing::entry(bytes)),
    ("form", |bytes, _| crate::oauth::fuzzing::form(bytes)),
    ("get", |bytes, reference| {
        request::tool("get", bytes, reference);
    }),
    ("git", |bytes, reference| {
        request::tool("git", bytes, reference);
    }),
    ("go", |bytes, reference| {
        request::tool("go", bytes, reference);
    }),
    ("helper", |bytes, _| request::helper(bytes)),
    ("hosts", crate::config::fuzzing::hosts),
    ("kubectl", |bytes, reference| {
        request::tool("kubectl", bytes, reference);
    }),
    ("lifetime", |bytes, _| {
        crate::config::fuzzing::lifetime(bytes);
    }),
    ("moment", |bytes, _| text::moment(bytes)),
    ("pnpm", |bytes, reference| {
        request::tool("pnpm", bytes, reference);
    }),
    ("proxy", |bytes, _| crate::oauth::fuzzing::proxy(bytes)),
    ("setup", |bytes, _| setup::setup(bytes)),
    ("statuses", |bytes, _| text::statuses(bytes)),
    ("stored", |bytes, _| crate::config::fuzzing::stored(bytes)),
    ("template", |bytes, _| text::template(bytes)),
    ("terraform", |bytes, reference| {
        request::tool("terraform", bytes, reference);
    }),
    ("terraform-external", |bytes, reference| {
        request::tool("terraform-external", bytes, reference);
    }),
    ("typed", |bytes, _| text::typed(bytes)),
    ("uri", uri::uri),
    ("veil", |bytes, _| text::redactor(bytes)),
];

/// Returns the property of a fuzz target.
pub fn property(name: &str) -> Property {
    let found = PROPERTIES.iter().find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| panic!("property `{name}` does not exist"))
        .1
}
