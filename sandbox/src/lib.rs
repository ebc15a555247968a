//! A stand-in for the `CloudConnexa` side: the token endpoint and a protected API, on loopback.
//!
//! For tests, demos and pipelines that have no account. It is never linked into a shipped program.
//!
//! ```
//! use cloudconnexa_sandbox::Sandbox;
//!
//! let sandbox = Sandbox::start();
//! let credential = sandbox.credential();
//! assert!(sandbox.base_url().starts_with("https://127.0.0.1:"));
//! assert!(credential.client_id.ends_with(&format!(".{}", sandbox.cloud_id())));
//! assert_eq!(sandbox.token_requests(), 0, "nobody has asked yet");
//! ```
//!
//! The map, from the outside in:
//!
//! | file | what |
//! |---|---|
//! | `builder`, `sandbox` | what a test holds: settings before the start, a handle after it |
//! | `serve`, `content`, `tls` | sockets, HTTP bodies that misbehave, the sandbox's own CA |
//! | `route`, `control`, `world` | which request goes where; steering over HTTP; what all requests share |
//! | `tenant` | the vendor's rules: who gets a token, what a token may do; no I/O |
//! | `credential`, `form`, `rate`, `clock`, `answer` | the tenant's nouns |
//! | `fault`, `gate`, `record` | what a test does to the server, and what it can ask afterwards |
//!
//! What the vendor publishes was taken from its "Creating API credentials" page, its API reference,
//! its Go client and its Terraform provider. Texts and codes of refusals are not published; ours are
//! our best reading and a client should not depend on them.

/// The examples of README.md, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod answer;
mod builder;
mod clock;
mod content;
mod control;
mod credential;
mod fault;
mod form;
mod gate;
mod random;
mod rate;
mod record;
mod route;
mod sandbox;
mod serve;
mod tenant;
mod tls;
mod world;

pub use builder::Builder;
pub use credential::{Credential, CredentialSpec, Lifetime, Permission};
pub use fault::Fault;
pub use form::Form;
pub use gate::Gate;
pub use rate::RateLimit;
pub use record::Recorded;
pub use sandbox::Sandbox;
pub use tenant::TokenPath;
pub use tls::Certificate;
