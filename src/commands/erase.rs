//! `erase`: drop a cached token, or only the one that was refused; with `credentials`, the stored
//! secret as well.

use super::session::{Caller, Session};
use super::{Context, Output};
use crate::config::Profile;
use crate::diagnostics::error::Error;
use crate::protocol::InputError;
use crate::protocol::helper::{self, ProfileSelector};
use crate::token_provider::EraseTarget;
use crate::types::secret::Secret;

#[cold]
pub(super) fn run(context: &Context<'_>, input: &[u8]) -> Result<Output, Error> {
    let request = helper::read_erase(input).map_err(|error| context.misread(error))?;
    let session = Session::open(context, Caller::Protocol)?;
    let profile = match &request.whose {
        ProfileSelector::Uri(uri) => session.profile_for(uri)?,
        ProfileSelector::Profile(name)
            if session.chosen_name().is_some_and(|chosen| chosen != name) =>
        {
            let error = InputError::Refused("the chosen profile and `profile` in the input differ");
            return Err(context.misread(error));
        }
        ProfileSelector::Profile(name) => Some(session.named(name)?),
    };
    // Nothing of ours is cached for a foreign URI, so it is erased already.
    if let Some(profile) = profile {
        let token = request.token.as_ref().map(Secret::expose);
        session.erase(profile, token.map_or(EraseTarget::Any, EraseTarget::Only))?;
        if request.credentials {
            remove_secret(context, &session, profile)?;
        }
    }
    Ok(Output::new(b"{}\n".to_vec()))
}

/// Takes away the stored secret, if this program is the one that keeps it.
fn remove_secret(
    context: &Context<'_>,
    session: &Session<'_>,
    profile: &Profile,
) -> Result<(), Error> {
    if !session.profiles.keeps_secret_of(profile) {
        return Err(Error::NotRemovable {
            profile: profile.name.clone(),
            source: profile.source.to_string(),
        });
    }
    profile
        .source
        .remove(context.launcher(session.deadline(profile)))
        .map_err(Error::Removal)
}
