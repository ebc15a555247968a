//! Which profile a request is for. No I/O.

use super::{ENVIRONMENT_PROFILE, Profile, ProfileError, Profiles};
use crate::quote::{nearest, quote};
use crate::uri::Uri;

/// The profile of a request that names no URI: the one of that name; else the environment's, the
/// default, the only one.
pub(crate) fn choose<'a>(
    profiles: &'a Profiles,
    name: Option<&str>,
) -> Result<&'a Profile, ProfileError> {
    match name {
        Some(name) => profiles.named(name).ok_or_else(|| unknown(profiles, name)),
        None => preferred(profiles),
    }
}

/// The profile of a request for a URI: the one that has its origin; of several the environment's,
/// then the default. `None` is "not mine": no token goes there, also where a profile is named.
///
/// A `uri` of `None` is one that could not be read, which is nobody's.
pub(crate) fn choose_for<'a>(
    profiles: &'a Profiles,
    name: Option<&str>,
    uri: Option<&Uri>,
) -> Result<Option<&'a Profile>, ProfileError> {
    let named = name.map(|name| choose(profiles, Some(name))).transpose()?;
    let Some(uri) = uri else { return Ok(None) };
    if let Some(named) = named {
        return Ok(Some(named).filter(|profile| profile.covers(uri.origin())));
    }
    let covering = profiles
        .all
        .iter()
        .filter(|profile| profile.covers(uri.origin()));
    let covering: Vec<&Profile> = covering.collect();
    let has_name = |name: &str| {
        covering
            .iter()
            .copied()
            .find(|profile| profile.name == name)
    };
    let preferred =
        has_name(ENVIRONMENT_PROFILE).or_else(|| has_name(profiles.default.as_deref()?));
    match (preferred, covering.as_slice()) {
        (Some(profile), _) | (None, &[profile]) => Ok(Some(profile)),
        (None, []) => Ok(None),
        (None, several) => Err(ProfileError::Ambiguous {
            host: uri.origin().to_string(),
            known: several.iter().map(|profile| profile.name.clone()).collect(),
        }),
    }
}

fn preferred(profiles: &Profiles) -> Result<&Profile, ProfileError> {
    // Whoever names a client by a variable must not be given another client's token because the
    // secret did not arrive.
    if profiles.is_environment_meant && !profiles.all.is_empty() {
        let missing_variables = profiles.missing_variables.clone();
        return Err(ProfileError::Incomplete { missing_variables });
    }
    let default = profiles
        .default
        .as_deref()
        .and_then(|name| profiles.named(name));
    let chosen = profiles.named(ENVIRONMENT_PROFILE).or(default);
    match (chosen, profiles.all.as_slice()) {
        (Some(profile), _) | (None, [profile]) => Ok(profile),
        (None, []) => Err(ProfileError::None {
            path: profiles.path.clone(),
            missing_variables: profiles.missing_variables.clone(),
        }),
        (None, several) => Err(ProfileError::Undecided {
            known: several.iter().map(|profile| profile.name.clone()).collect(),
        }),
    }
}

fn unknown(profiles: &Profiles, name: &str) -> ProfileError {
    if profiles.all.is_empty() {
        return ProfileError::None {
            path: profiles.path.clone(),
            missing_variables: profiles.missing_variables.clone(),
        };
    }
    let names = || profiles.all.iter().map(|profile| profile.name.as_str());
    ProfileError::Unknown {
        name: quote(name),
        meant: nearest(name, names()).map(str::to_owned),
        known: names().map(str::to_owned).collect(),
    }
}
