//! A stand-in for `CloudConnexa` on loopback: the token endpoint and the API.
//!
//! It is for tests, demos and pipelines without an account. It is never linked into a shipped program.
//!
//! ```
//! use cloudconnexa_sandbox::Sandbox;
//!
//! let sandbox = Sandbox::start();
//! let credential = sandbox.credential();
//! assert!(sandbox.base_url().starts_with("https://127.0.0.1:"));
//! assert!(credential.client_id.ends_with(&format!(".{}", sandbox.cloud_id())));
//! assert_eq!(sandbox.token_requests(), 0, "no request was sent");
//! ```
//!
//! The modules, from the outside in:
//!
//! | module | content |
//! |---|---|
//! | `builder`, `sandbox` | the settings before the start, the handle after it |
//! | `serve`, `response_body`, `tls` | sockets, response bodies, the sandbox's CA |
//! | `router`, `apply_fault`, `control`, `server_state` | dispatch of requests, faults, control interface, shared state |
//! | `tenant`, `token_endpoint`, `api_access` | the vendor's rules; no I/O |
//! | `api` | the objects of the API, one file per resource; no I/O |
//! | `credential`, `token_request`, `rate_limit`, `clock`, `http_response` | the values that the rules use |
//! | `fault`, `gate`, `record` | the tools of a test |
//!
//! Sources: the vendor's page "Creating API credentials", its API reference v1.2.3, its Go client and
//! its Terraform provider. The vendor does not publish the texts of refusals; clients must not depend
//! on those of the sandbox.

/// The examples of README.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod api;
mod api_access;
mod apply_fault;
mod builder;
mod clock;
mod control;
mod credential;
mod fault;
mod gate;
mod http_response;
mod random;
mod rate_limit;
mod record;
mod response_body;
mod router;
mod sandbox;
mod serve;
mod server_state;
mod tenant;
mod tls;
mod token_endpoint;
mod token_request;

pub use api::ApiResource;
pub use builder::Builder;
pub use credential::{Credential, CredentialSpec, Lifetime, Permission};
pub use fault::Fault;
pub use gate::Gate;
pub use rate_limit::RateLimit;
pub use record::RecordedRequest;
pub use sandbox::Sandbox;
pub use tenant::TokenPath;
pub use tls::Certificate;
pub use token_request::Form;
