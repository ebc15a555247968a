//! `store`: saves a profile and its client secret, read from stdin, in the configuration.

use serde::Serialize;

use super::{Context, Output};
use crate::config::{NewProfile, SETTABLE, SecretBackend, store};
use crate::diagnostics::error::Error;
use crate::protocol::{InputError, helper, json_line};

#[cold]
pub(super) fn run(context: &Context<'_>, input: &[u8]) -> Result<Output, Error> {
    let request = helper::read_store(input, &SETTABLE).map_err(|error| context.misread(error))?;
    if context
        .options
        .profile
        .as_ref()
        .is_some_and(|name| *name != request.profile)
    {
        let error = InputError::Refused("`--profile` and `profile` in the input differ");
        return Err(context.misread(error));
    }
    let profile = NewProfile {
        name: request.profile,
        client_id: request.client_id,
        client_secret: request.client_secret,
        lifetime: request.lifetime,
        settings: request.settings,
        keeper: SecretBackend::File,
        make_default: false,
    };
    store(&context.editing(), &profile)?;
    Ok(json_line(&WireStored {
        profile: &profile.name,
    }))
}

#[derive(Serialize)]
struct WireStored<'a> {
    profile: &'a str,
}
