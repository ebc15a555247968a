//! `version`: for programs; people have `--version`.

use serde::Serialize;

use super::Output;
use crate::protocol::{ADAPTORS, json_line};

#[cold]
pub(super) fn run() -> Output {
    json_line(&WireVersion {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        protocols: ADAPTORS.map(|adaptor| adaptor.protocol),
    })
}

#[derive(Serialize)]
struct WireVersion {
    name: &'static str,
    version: &'static str,
    protocols: [&'static str; ADAPTORS.len()],
}
