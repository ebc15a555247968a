//! `erase`: removes a cached token, or only the refused one; with `credentials`, also the stored
//! secret.

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
    // No token is cached for a foreign URI, so there is nothing to erase.
    if let Some(profile) = profile {
        let token = request.token.as_ref().map(Secret::expose);
        session.erase(profile, token.map_or(EraseTarget::Any, EraseTarget::Only))?;
        if request.credentials {
            remove_secret(context, &session, profile)?;
        }
    }
    Ok(Output::new(b"{}\n".to_vec()))
}

/// Removes the stored secret if this program manages it.
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
