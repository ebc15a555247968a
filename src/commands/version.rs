//! `version`: the version for programs; `--version` prints it for people.

use serde::Serialize;

use super::Output;
use crate::protocol::{PROTOCOLS, json_line};

#[cold]
pub(super) fn run() -> Output {
    json_line(&WireVersion {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        protocols: PROTOCOLS.map(|protocol| protocol.protocol),
    })
}

#[derive(Serialize)]
struct WireVersion {
    name: &'static str,
    version: &'static str,
    protocols: [&'static str; PROTOCOLS.len()],
}
