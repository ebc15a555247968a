//! `get`: a credential-helper request.

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::cli::Verb;
use crate::error::Error;
use crate::protocol::{Reply, helper};

pub(super) fn run(context: &Context<'_>, input: &[u8]) -> Result<Output, Error> {
    let request = helper::read_get(input).map_err(|error| Error::Input {
        verb: Verb::Get.name(),
        error,
    })?;
    let session = Session::open(context, Caller::Protocol)?;
    let reply = match session.profile_for(&request.uri)? {
        None => Reply::NotMine,
        Some(profile) => {
            let issued = session.obtain(profile)?;
            Reply::Credential {
                access_token: issued.token.access_token,
                usable_until: issued.usable_until,
            }
        }
    };
    Ok(helper::write_get(&reply))
}
