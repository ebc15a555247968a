//! The key `default_profile`: the profile of a request that has no profile name and no URI.

use std::path::Path;
use std::str::FromStr as _;

use toml_edit::DocumentMut;

use super::edit::{Editing, read_old, set, write, written};
use super::{Position, ProfileError, Profiles, choose, load};
use crate::types::quote::quote;

/// Makes the profile the default. The rest of the file is unchanged.
///
/// # Errors
/// If the profile is not in the file, or if the file cannot be read, locked or written.
pub(crate) fn set_default(editing: &Editing<'_>, name: &str) -> Result<(), ProfileError> {
    let path = editing.path()?;
    let before = load::parse(&path, &read_old(&path)?, editing.environment)?;
    choose(&before, Some(name))?;
    let guard = editing.lock(&path)?;
    let old = read_old(&path)?;
    let profiles = load::parse(&path, &old, editing.environment)?;
    choose(&profiles, Some(name))?;
    if profiles.default.as_deref() == Some(name) {
        return Ok(());
    }
    let new = with_default(&path, &old, name, "")?;
    load::parse(&path, &new, editing.environment)?;
    let written = write(&path, &new, &guard);
    written.map_err(|error| ProfileError::Unwritable { path, error })
}

/// The comment that [`default_after_store`] adds to the line for the previous only profile.
const KEPT: &str = " # set when a second profile was saved";

/// Returns the default after the profile `name` is stored, and the comment on its line; `None` if
/// nothing has to be written. The first profile becomes the default. An only profile without the
/// key was the default and stays the default.
pub(super) fn default_after_store<'a>(
    before: &'a Profiles,
    name: &'a str,
) -> Option<(&'a str, &'static str)> {
    if before.default.is_some() {
        return None;
    }
    match before.all.as_slice() {
        [] => Some((name, "")),
        [only] if !before.is_default_cleared && only.name != name => Some((&only.name, KEPT)),
        _ => None,
    }
}

/// Whether the line that [`default_after_store`] added for the only profile is redundant again when
/// the profile `name` is removed.
pub(super) fn is_superfluous_after_removal(text: &str, before: &Profiles, name: &str) -> bool {
    let mut left = before.all.iter().filter(|profile| profile.name != name);
    let (Some(only), None) = (left.next(), left.next()) else {
        return false;
    };
    text.starts_with(&format!("default_profile = \"{}\"{KEPT}", only.name))
}

/// Whether the default must be cleared when the profile `name` is removed, so that the remaining
/// profile does not become the default.
pub(super) fn is_cleared_by_removal(before: &Profiles, name: &str) -> bool {
    let has_others = before.all.iter().any(|profile| profile.name != name);
    let is_default = before.default.as_deref() == Some(name);
    has_others && (is_default || (before.default.is_none() && !before.is_default_cleared))
}

/// Returns the text with this value of `default_profile`. An empty value means that no profile is
/// the default.
pub(super) fn with_default(
    path: &Path,
    text: &str,
    name: &str,
    comment: &str,
) -> Result<String, ProfileError> {
    let mut document = DocumentMut::from_str(text).map_err(|error| ProfileError::Invalid {
        position: Position::of(path, text, error.span().unwrap_or_default().start),
        problem: quote(error.message()),
        hint: None,
    })?;
    if document.contains_key("default_profile") {
        set(document.as_table_mut(), "default_profile", name.into());
        return Ok(written(&document, text));
    }
    let (mark, rest) = match text.strip_prefix('\u{feff}') {
        Some(rest) => ("\u{feff}", rest),
        None => ("", text),
    };
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if comment.is_empty() && rest.starts_with('[') {
        end
    } else {
        ""
    };
    Ok(format!(
        "{mark}default_profile = \"{name}\"{comment}{end}{gap}{rest}"
    ))
}
