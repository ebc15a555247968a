//! `version`: for programs; people have `--version`.

use serde::Serialize;

use super::Output;
use crate::protocol::helper::{self, PROTOCOLS};

pub(super) fn run() -> Output {
    helper::line(&WireVersion {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        protocols: &PROTOCOLS,
    })
}

#[derive(Serialize)]
struct WireVersion {
    name: &'static str,
    version: &'static str,
    protocols: &'static [&'static str],
}
