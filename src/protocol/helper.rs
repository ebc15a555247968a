//! The requests of `store`, `erase` and `list`: one JSON object on stdin and one on stdout, similar
//! to the helpers of git and docker.
//!
//! `get` is EngFlow's protocol and is in `engflow`. Here, an unknown member of a request is an
//! error: with a misspelled `token`, `erase` would delete more than the caller wanted.

use serde::Serialize;

use super::InputError;
use super::json::Members;
use crate::types::secret::Secret;

/// A request to `store`: a profile and its credentials.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) profile: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) lifetime: Option<String>,
    /// The optional members of the request that are in `settable`.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// A request to `erase`.
#[derive(Debug)]
pub(crate) struct Erase {
    pub(crate) whose: ProfileSelector,
    /// Erase only this token.
    pub(crate) token: Option<Secret>,
    /// Whether to erase the stored client secret too.
    pub(crate) credentials: bool,
}

/// Selects a profile by URI or by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ProfileSelector {
    Uri(String),
    Profile(String),
}

/// One line of `list`.
#[derive(Debug, Serialize)]
pub(crate) struct Listed<'a> {
    pub(crate) name: &'a str,
    pub(crate) base_url: Option<String>,
    pub(crate) client_id: &'a str,
    pub(crate) default: bool,
}

/// Parses the request of `store`. `settable` are the optional members that it may have.
pub(crate) fn read_store(input: &[u8], settable: &[&'static str]) -> Result<Store, InputError> {
    let mut members = Members::parse(input)?;
    let client_secret = members.text("client_secret")?.map(Secret::new);
    let mut settings = Vec::new();
    for name in settable {
        if let Some(value) = members.text(name)? {
            settings.push((*name, value));
        }
    }
    let store = Store {
        profile: members.needed_text("profile")?,
        client_id: members.needed_text("client_id")?,
        client_secret: client_secret.ok_or(InputError::Missing("client_secret"))?,
        lifetime: members.text("lifetime")?,
        settings,
    };
    let fixed = ["profile", "client_id", "client_secret", "lifetime"];
    members.nothing_left(fixed.iter().chain(settable).copied())?;
    let server = ["cloud_id", "base_url", "token_url"];
    if !store.settings.iter().any(|(name, _)| server.contains(name)) {
        return Err(InputError::Missing("cloud_id"));
    }
    Ok(store)
}

/// Parses the request of `erase`.
pub(crate) fn read_erase(input: &[u8]) -> Result<Erase, InputError> {
    let mut members = Members::parse(input)?;
    let token = members.text("token")?.map(Secret::new);
    let whose = match (members.text("uri")?, members.text("profile")?) {
        (Some(uri), None) => ProfileSelector::Uri(uri),
        (None, Some(profile)) => ProfileSelector::Profile(profile),
        (None, None) => return Err(InputError::Missing("uri")),
        (Some(_), Some(_)) => {
            return Err(InputError::Refused(
                "the input has both `uri` and `profile`",
            ));
        }
    };
    let credentials = members.truth("credentials")?;
    members.nothing_left(["uri", "profile", "token", "credentials"])?;
    if credentials && token.is_some() {
        return Err(InputError::Refused(
            "`credentials` removes the stored secret, so `token` has no meaning beside it",
        ));
    }
    if credentials && matches!(whose, ProfileSelector::Uri(_)) {
        return Err(InputError::Refused(
            "`credentials` needs a `profile`, not a `uri`",
        ));
    }
    Ok(Erase {
        whose,
        token,
        credentials,
    })
}

#[cfg(test)]
mod tests {
    use super::{InputError, read_erase, read_store};

    #[test]
    fn a_typing_error_in_erase_does_not_erase_more_than_was_meant() {
        let read = read_erase(br#"{"profile":"prod","tokn":"t-1"}"#);
        let meant = Some("token");
        assert!(
            matches!(&read, Err(InputError::Unknown { meant: found, .. }) if *found == meant),
            "{read:?}"
        );
    }

    #[test]
    fn no_error_about_the_input_shows_a_value_of_it() {
        for input in [
            r#"{"profile":"p","client_id":"i","client_secret":["s3cret"]}"#,
            r#"{"profile":"p","client_id":"i","client_secret":"s3cret"}"#,
            r#"{"client_secret":"s3cret" "#,
            r#"{"profile":7,"client_secret":"s3cret","cloud_id":"a","client_id":"i"}"#,
        ] {
            let shown = format!(
                "{:?}",
                read_store(input.as_bytes(), &["cloud_id"]).unwrap_err()
            );
            assert!(!shown.contains("s3cret"), "{shown}");
        }
    }
}
