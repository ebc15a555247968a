//! The sandbox as a client sees it: on the wire.

mod api;
mod api_client;
#[cfg(unix)] // signals and file modes
mod binary;
mod client;
mod control;
mod faults;
mod forms;
mod gate;
mod lists;
mod rate;
mod record;
mod refusals;
mod resources;
mod shapes;
mod tls;
