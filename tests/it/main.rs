//! The program at its edge: argv, stdin, stdout, exit code, files and the wire. Real processes
//! against a real server; the clock moves by moving what stands in the cache.

#![allow(
    clippy::disallowed_methods,
    reason = "tests set the scene by themselves"
)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed"
)]

mod cache;
mod commands;
mod configuration;
mod exchange;
mod harness;
mod helper;
mod hosts;
mod leaks;
#[cfg(unix)]
mod network;
#[cfg(unix)]
mod papers;
#[cfg(unix)]
mod servers;
#[cfg(unix)]
mod sources;
mod store;
mod storms;
mod tidy;
