//! A build without the feature `shared-store`: the key `shared_store` is an error.

use std::fmt;

use toml::Spanned;
use toml::de::DeValue;

use super::file::Document;
use super::{ProfileError, Profiles};
use crate::system::environment::Environment;

const URL_VARIABLE: &str = "CLOUDCONNEXA_AUTH_SHARED_STORE";

const HINT: &str = "take a released binary, or build with the cargo feature `shared-store`";

/// A type without values, because this build has no shared store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SharedStore {}

impl SharedStore {
    pub(super) fn variable(&self) -> Option<&str> {
        match *self {}
    }
}

impl fmt::Display for SharedStore {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

/// A type without values, as [`SharedStore`].
pub(super) type RawStore = SharedStore;

pub(super) fn read(
    document: &Document<'_>,
    value: &Spanned<DeValue<'_>>,
) -> Result<RawStore, ProfileError> {
    let problem = "this build of the program knows no `shared_store`";
    Err(document.invalid(&value.span(), problem, Some(HINT.to_owned())))
}

#[expect(clippy::unnecessary_wraps, reason = "as in a build with the feature")]
pub(super) fn resolve(_: &Document<'_>, written: RawStore) -> Result<SharedStore, ProfileError> {
    Ok(written)
}

pub(super) fn from_variables(
    environment: &Environment,
    _: &mut Profiles,
) -> Result<(), ProfileError> {
    match environment.raw(URL_VARIABLE) {
        None => Ok(()),
        Some(_) => Err(ProfileError::Variable {
            name: URL_VARIABLE,
            problem: format!("is set, and this build knows no shared store; {HINT}"),
        }),
    }
}
