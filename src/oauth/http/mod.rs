//! HTTP under this program's rules. `client` makes requests, `connector` holds everything that uses
//! ureq's `unversioned` API, `transport_error` describes what failed.

mod client;
mod connector;
mod happy_eyeballs;
mod proxy;
mod transport_error;

pub(super) use client::{Answer, Reply};
pub(crate) use client::{CONNECT_LIMIT, Http, HttpSettings, SetupError};
pub(crate) use happy_eyeballs::dial;
pub(crate) use proxy::Proxies;
#[cfg(any(test, fuzzing))]
pub(super) use proxy::has_valid_port;
pub(crate) use transport_error::{Stage, TransportCause, TransportError};
