//! The sandbox as a client sees it: on the wire.

mod api;
#[cfg(unix)] // signals and file modes
mod binary;
mod client;
mod control;
mod faults;
mod forms;
mod gate;
mod rate;
mod record;
mod refusals;
mod tls;
