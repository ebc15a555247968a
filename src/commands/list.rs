//! `list`: prints the profiles without their secrets.

use serde::Serialize;

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::diagnostics::error::Error;
use crate::protocol::helper::Listed;
use crate::protocol::json_line;

#[cold]
pub(super) fn run(context: &Context<'_>) -> Result<Output, Error> {
    let session = Session::open(context, Caller::Person)?;
    for profile in &session.profiles.all {
        session.remind(profile);
    }
    let default = session.default_name();
    let profiles = session.profiles.all.iter().map(|profile| Listed {
        name: &profile.name,
        base_url: profile.base_url.as_ref().map(ToString::to_string),
        client_id: &profile.client.client_id,
        default: default == Some(profile.name.as_str()),
    });
    Ok(json_line(&WireList {
        profiles: profiles.collect(),
    }))
}

#[derive(Serialize)]
struct WireList<'a> {
    profiles: Vec<Listed<'a>>,
}
