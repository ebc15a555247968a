//! `erase`: drop a cached token, or only the one that was refused; with `credentials`, the stored
//! secret as well.

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::cli::Verb;
use crate::error::Error;
use crate::protocol::helper::{self, Whose};
use crate::secret::Secret;
use crate::source::Removal;

pub(super) fn run(context: &Context<'_>, input: &[u8]) -> Result<Output, Error> {
    let request = helper::read_erase(input).map_err(|error| Error::Input {
        verb: Verb::Erase.name(),
        error,
    })?;
    let session = Session::open(context, Caller::Protocol)?;
    let profile = match &request.whose {
        Whose::Uri(uri) => session.profile_for(uri)?,
        Whose::Profile(name) => Some(session.named(name)?),
    };
    // Nothing of ours is cached for a foreign URI, so it is erased already.
    if let Some(profile) = profile {
        session.erase(profile, request.token.as_ref().map(Secret::expose))?;
        if request.credentials {
            let removal = profile
                .source
                .remove(context.clock, session.deadline(profile));
            if removal.map_err(Error::Removal)? == Removal::NotOurs {
                return Err(Error::NotRemovable {
                    profile: profile.name.clone(),
                    source: profile.source.to_string(),
                });
            }
        }
    }
    Ok(Output::new(b"{}\n".to_vec()))
}
