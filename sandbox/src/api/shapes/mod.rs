//! The JSON shapes of the API, as its reference documents them.
//!
//! Source: `CloudConnexa` API v1.2.3, <https://openvpn.net/cloud-docs/developer/cloudconnexa-api-v1-2-3/schemas/>.
//! Each type names its schema there.

#![expect(clippy::struct_field_names, reason = "the names are those of the JSON")]

mod requests;
mod responses;

pub(crate) use requests::*;
pub(crate) use responses::*;
