//! HTTP with the restrictions of this program. `client` sends requests, `connector` contains all
//! uses of ureq's `unversioned` API, and `transport_error` describes failures.

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
