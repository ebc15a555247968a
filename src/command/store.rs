//! `store`: a profile and its client secret, from stdin into the configuration.

use serde::Serialize;

use super::{Context, Output};
use crate::cli::Verb;
use crate::error::Error;
use crate::profile::{NewProfile, SETTABLE, store};
use crate::protocol::helper;

pub(super) fn run(context: &Context<'_>, input: &[u8]) -> Result<Output, Error> {
    let request = helper::read_store(input, &SETTABLE).map_err(|error| Error::Input {
        verb: Verb::Store.name(),
        error,
    })?;
    let profile = NewProfile {
        name: request.profile,
        client_id: request.client_id,
        client_secret: request.client_secret,
        lifetime: request.lifetime,
        settings: request.settings,
    };
    let config = context.options.config.as_deref();
    store(
        context.environment,
        config,
        &profile,
        context.clock.now().date(),
    )?;
    Ok(helper::line(&WireStored {
        profile: &profile.name,
    }))
}

#[derive(Serialize)]
struct WireStored<'a> {
    profile: &'a str,
}
