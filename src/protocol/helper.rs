//! The helper protocol: one verb in argv, one JSON object on stdin, one on stdout.
//!
//! `get` is the EngFlow credential-helper protocol that Bazel speaks, to the letter
//! (<https://github.com/EngFlow/credential-helper-spec>, `spec.md` and `schemas/`): unknown members
//! of the request are passed over, `expires` is whole seconds. The other verbs are this program's
//! extension of it; there an unknown member is an error, for a typing error in `token` would make
//! `erase` drop more than was meant.

use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{InputError, Reply, timestamp};
use crate::quote::{nearest, quote};
use crate::secret::Secret;

/// The words that `version` lists.
pub(crate) const PROTOCOLS: [&str; 1] = ["engflow-credential-helper"];

/// `get`: for which URI.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Get {
    pub(crate) uri: String,
}

/// `store`: which profile with which credentials.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) profile: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) lifetime: Option<String>,
    /// The further members that were given, of those in `settable`.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// `erase`: whose token, and which one.
#[derive(Debug)]
pub(crate) struct Erase {
    pub(crate) whose: Whose,
    /// Only this token.
    pub(crate) token: Option<Secret>,
    /// The stored client secret as well.
    pub(crate) credentials: bool,
}

/// By which of its two names a profile is meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Whose {
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

/// Reads the request of `get`.
pub(crate) fn read_get(input: &[u8]) -> Result<Get, InputError> {
    let mut members = object(input)?;
    let uri = text(&mut members, "uri")?.ok_or(InputError::Missing("uri"))?;
    Ok(Get { uri })
}

/// Writes the answer of `get`.
pub(crate) fn write_get(reply: &Reply) -> Zeroizing<Vec<u8>> {
    match reply {
        Reply::NotMine => Zeroizing::new(b"{\"headers\":{}}\n".to_vec()),
        Reply::Credential {
            access_token,
            usable_until,
        } => {
            // A bearer token holds no character that JSON would escape.
            let text = Zeroizing::new(format!(
                "{{\"headers\":{{\"Authorization\":[\"Bearer {}\"]}},\"expires\":\"{}\"}}\n",
                access_token.expose(),
                timestamp(*usable_until)
            ));
            Zeroizing::new(text.as_bytes().to_vec())
        }
    }
}

/// Reads the request of `store`; `settable` are the further members that it may have.
pub(crate) fn read_store(input: &[u8], settable: &[&'static str]) -> Result<Store, InputError> {
    let mut members = object(input)?;
    let client_secret = text(&mut members, "client_secret")?.map(Secret::new);
    let mut settings = Vec::new();
    for name in settable {
        if let Some(value) = text(&mut members, name)? {
            settings.push((*name, value));
        }
    }
    let store = Store {
        profile: text(&mut members, "profile")?.ok_or(InputError::Missing("profile"))?,
        client_id: text(&mut members, "client_id")?.ok_or(InputError::Missing("client_id"))?,
        client_secret: client_secret.ok_or(InputError::Missing("client_secret"))?,
        lifetime: text(&mut members, "lifetime")?,
        settings,
    };
    let fixed = ["profile", "client_id", "client_secret", "lifetime"];
    nothing_left(&members, fixed.iter().chain(settable).copied())?;
    let server = ["cloud_id", "base_url", "token_url"];
    if !store.settings.iter().any(|(name, _)| server.contains(name)) {
        return Err(InputError::Missing("cloud_id"));
    }
    Ok(store)
}

/// Reads the request of `erase`.
pub(crate) fn read_erase(input: &[u8]) -> Result<Erase, InputError> {
    let mut members = object(input)?;
    let token = text(&mut members, "token")?.map(Secret::new);
    let whose = match (text(&mut members, "uri")?, text(&mut members, "profile")?) {
        (Some(uri), None) => Whose::Uri(uri),
        (None, Some(profile)) => Whose::Profile(profile),
        (None, None) => return Err(InputError::Missing("uri")),
        (Some(_), Some(_)) => {
            return Err(InputError::Contradiction(
                "the input has both `uri` and `profile`",
            ));
        }
    };
    let credentials = match members.remove("credentials") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(credentials)) => credentials,
        Some(_) => {
            return Err(InputError::Mistyped {
                name: "credentials",
                wanted: "true or false",
            });
        }
    };
    nothing_left(&members, ["uri", "profile", "token", "credentials"])?;
    if credentials && token.is_some() {
        return Err(InputError::Contradiction(
            "`credentials` removes the stored secret, so `token` has no meaning beside it",
        ));
    }
    if credentials && matches!(whose, Whose::Uri(_)) {
        return Err(InputError::Contradiction(
            "`credentials` needs a `profile`, not a `uri`",
        ));
    }
    Ok(Erase {
        whose,
        token,
        credentials,
    })
}

/// One JSON value and a newline.
pub(crate) fn line(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(serde_json::to_vec(value).unwrap_or_default());
    bytes.push(b'\n');
    bytes
}

fn object(input: &[u8]) -> Result<Map<String, Value>, InputError> {
    serde_json::from_slice(input).map_err(|error| InputError::NotAnObject {
        line: error.line(),
        column: error.column(),
    })
}

fn text(
    members: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, InputError> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(InputError::Mistyped {
            name,
            wanted: "a text",
        }),
    }
}

fn nothing_left(
    members: &Map<String, Value>,
    known: impl IntoIterator<Item = &'static str>,
) -> Result<(), InputError> {
    match members.keys().next() {
        None => Ok(()),
        Some(name) => Err(InputError::Unknown {
            name: quote(name),
            meant: nearest(name, known),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use time::OffsetDateTime;

    use super::{InputError, read_erase, read_get, read_store, write_get};
    use crate::protocol::Reply;
    use crate::token::AccessToken;

    #[test]
    fn get_passes_over_members_that_it_does_not_know() {
        let read = read_get(br#"{"uri":"https://a.test/","extra":{"deep":[1]}}"#);
        assert_eq!(read.map(|get| get.uri).as_deref(), Ok("https://a.test/"));
    }

    #[test]
    fn get_refuses_what_is_not_the_protocol() {
        for input in [
            &b""[..],
            b"null",
            b"[]",
            b"{}",
            b"{\"uri\":null}",
            b"{\"uri\":7}",
            b"{\"uri\":\"https://a\"} {}",
            b"{\"uri\":\"\xff\"}",
            b"uri=https://a",
        ] {
            assert!(
                read_get(input).is_err(),
                "{:?}",
                String::from_utf8_lossy(input)
            );
        }
    }

    #[test]
    fn an_answer_is_one_line_of_the_schemas_form() {
        let reply = Reply::Credential {
            access_token: AccessToken::parse("t-1".to_owned()).unwrap(),
            usable_until: OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        };
        let text = String::from_utf8(write_get(&reply).to_vec()).unwrap();
        let expected = "{\"headers\":{\"Authorization\":[\"Bearer t-1\"]},\
                        \"expires\":\"2023-11-14T22:13:20Z\"}\n";
        assert_eq!(text, expected);
        assert_eq!(&*write_get(&Reply::NotMine), b"{\"headers\":{}}\n");
    }

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
