//! The format of an entry on disk.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::digest::SecretDigest;
use super::entry::{CachedToken, Cooldown, Entry, MOST_COOLDOWNS, MOST_TOKENS, Reason, Scope};
use super::key::Key;
use crate::types::token::{AccessToken, Token};

/// The version of the format. An entry of another version is a cache miss.
const VERSION: u32 = 1;

/// The longest lifetime of a token that is accepted, in seconds: 366 days.
const LONGEST_LIFE_S: u64 = 366 * 24 * 3600;

impl Entry {
    /// The bytes of the file. They contain the token, which the file mode protects.
    pub(super) fn to_bytes(&self, key: &Key) -> Zeroizing<Vec<u8>> {
        let wire = WireEntry {
            version: VERSION,
            key: key.as_str().into(),
            token: self.tokens.first().map(WireHeld::of),
            other_tokens: self.tokens.iter().skip(1).map(WireHeld::of).collect(),
            longest_life_s: self.longest_life.map(|life| life.as_secs()),
            auth_method: self.auth_method.as_deref().map(Into::into),
            auth_method_found_at_ms: self.auth_method_found_at.map(to_ms),
            cooldown: self.cooldowns.first().map(WireCooldown::of),
            other_cooldowns: self
                .cooldowns
                .iter()
                .skip(1)
                .map(WireCooldown::of)
                .collect(),
            refresh_not_before_ms: self.refresh_not_before.map(to_ms),
            refused_at_ms: self.refused_at.map(to_ms),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(24 * 1024));
        // Writing numbers and strings to memory cannot fail. An empty file would be a cache miss.
        if serde_json::to_writer(&mut *bytes, &wire).is_err() {
            bytes.clear();
        }
        bytes.push(b'\n');
        bytes
    }

    /// Parses the bytes of the file. Returns `None` if they are incomplete, of another version or
    /// of another identity.
    pub(super) fn from_bytes(bytes: &[u8], key: &Key) -> Option<Self> {
        let wire: WireEntry<'_> = serde_json::from_slice(bytes).ok()?;
        if wire.version != VERSION || wire.key != key.as_str() {
            return None;
        }
        Some(Self {
            tokens: wire
                .token
                .into_iter()
                .chain(wire.other_tokens)
                .take(MOST_TOKENS)
                .map(WireHeld::into_held)
                .collect::<Option<_>>()?,
            longest_life: wire
                .longest_life_s
                .map(|seconds| Duration::from_secs(seconds.min(LONGEST_LIFE_S))),
            auth_method: wire.auth_method.map(Into::into),
            auth_method_found_at: match wire.auth_method_found_at_ms {
                Some(ms) => Some(from_ms(ms)?),
                None => None,
            },
            cooldowns: wire
                .cooldown
                .into_iter()
                .chain(wire.other_cooldowns)
                .take(MOST_COOLDOWNS)
                // A later release may have more reasons. Its cool-down is ignored, but its token is
                // used.
                .filter(|cooldown| cooldown.reason.is_some())
                .map(WireCooldown::into_cooldown)
                .collect::<Option<_>>()?,
            refresh_not_before: match wire.refresh_not_before_ms {
                Some(ms) => Some(from_ms(ms)?),
                None => None,
            },
            refused_at: match wire.refused_at_ms {
                Some(ms) => Some(from_ms(ms)?),
                None => None,
            },
        })
    }
}

fn to_ms(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// Parses a time of an entry. This program never writes a time outside the years 1970 to 9000, and
/// arithmetic with such a time could overflow.
fn from_ms(ms: i64) -> Option<OffsetDateTime> {
    let plausible = 0..=221_845_392_000_000;
    let nanoseconds = plausible
        .contains(&ms)
        .then_some(i128::from(ms) * 1_000_000)?;
    OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()
}

type Text<'a> = std::borrow::Cow<'a, str>;

#[derive(Serialize, Deserialize)]
struct WireEntry<'a> {
    version: u32,
    #[serde(borrow)]
    key: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<WireHeld>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    other_tokens: Vec<WireHeld>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_life_s: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    auth_method: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_method_found_at_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cooldown: Option<WireCooldown>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    other_cooldowns: Vec<WireCooldown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_not_before_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_at_ms: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct WireHeld {
    access_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    requested_at_ms: i64,
    obtained_at_ms: i64,
    expires_at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_digest: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    refused: bool,
}

impl WireHeld {
    fn of(held: &CachedToken) -> Self {
        Self {
            access_token: held.token.access_token.expose().to_owned(),
            scope: held.token.scope.clone(),
            requested_at_ms: to_ms(held.token.requested_at),
            obtained_at_ms: to_ms(held.token.obtained_at),
            expires_at_ms: to_ms(held.token.expires_at),
            secret_digest: held
                .secret
                .as_ref()
                .map(|digest| digest.as_str().to_owned()),
            refused: held.is_refused,
        }
    }

    fn into_held(mut self) -> Option<CachedToken> {
        let access_token = AccessToken::parse(std::mem::take(&mut self.access_token)).ok()?;
        let token = Token {
            access_token,
            scope: self.scope.take(),
            requested_at: from_ms(self.requested_at_ms)?,
            obtained_at: from_ms(self.obtained_at_ms)?,
            expires_at: from_ms(self.expires_at_ms)?,
        };
        Some(CachedToken {
            token,
            secret: self.secret_digest.take().and_then(SecretDigest::parse),
            is_refused: self.refused,
        })
    }
}

impl Drop for WireHeld {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.access_token);
    }
}

#[derive(Serialize, Deserialize)]
struct WireCooldown {
    since_ms: i64,
    until_ms: i64,
    #[serde(deserialize_with = "known_reason")]
    reason: Option<Reason>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_digest: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    from_program: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_method: Option<String>,
    /// In milliseconds. It is a duration, so its name does not have the suffix of the times.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_limit: Option<u64>,
}

/// Parses a reason. Returns `None` if it is unknown.
fn known_reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Reason>, D::Error> {
    let name: serde_json::Value = Deserialize::deserialize(deserializer)?;
    Ok(Reason::deserialize(name).ok())
}

impl WireCooldown {
    fn of(cooldown: &Cooldown) -> Self {
        Self {
            since_ms: to_ms(cooldown.since),
            until_ms: to_ms(cooldown.until),
            reason: Some(cooldown.reason),
            message: cooldown.message.clone(),
            cause: cooldown.cause.clone(),
            hint: cooldown.hint.clone(),
            secret_digest: cooldown
                .scope
                .secret
                .as_ref()
                .map(|digest| digest.as_str().to_owned()),
            from_program: cooldown.scope.is_from_program,
            auth_method: cooldown.scope.auth_method.clone(),
            time_limit: cooldown
                .scope
                .time_limit
                .map(|limit| limit.as_millis().try_into().unwrap_or(u64::MAX)),
        }
    }

    fn into_cooldown(self) -> Option<Cooldown> {
        Some(Cooldown {
            since: from_ms(self.since_ms)?,
            until: from_ms(self.until_ms)?,
            reason: self.reason?,
            message: crate::types::quote::clean(&self.message),
            cause: self.cause.as_deref().map(crate::types::quote::clean),
            hint: self.hint.as_deref().map(crate::types::quote::clean),
            scope: Scope {
                secret: self.secret_digest.and_then(SecretDigest::parse),
                is_from_program: self.from_program,
                auth_method: self.auth_method,
                time_limit: self.time_limit.map(Duration::from_millis),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use time::OffsetDateTime;

    use super::super::Identity;
    use super::{
        AccessToken, CachedToken, Cooldown, Entry, Key, Reason, Scope, SecretDigest, Token,
    };
    use crate::types::secret::Secret;

    fn key(client_id: &str) -> Key {
        Key::of(&Identity {
            token_url: "https://acme.test/token",
            client_id,
            scope: None,
            audience: None,
        })
    }

    fn at(ms: u64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::from_millis(ms)
    }

    fn entry() -> Entry {
        let digest = SecretDigest::of(&Secret::new("s3cret".to_owned()));
        Entry {
            tokens: vec![CachedToken {
                token: Token {
                    access_token: AccessToken::parse("t-1".to_owned()).unwrap(),
                    scope: Some("read write".to_owned()),
                    requested_at: at(1_700_000_000_023),
                    obtained_at: at(1_700_000_000_123),
                    expires_at: at(1_700_043_199_456),
                },
                secret: digest.clone(),
                is_refused: true,
            }],
            longest_life: Some(Duration::from_secs(43_199)),
            auth_method: Some("basic".to_owned()),
            auth_method_found_at: Some(at(1_700_000_000_223)),
            cooldowns: vec![Cooldown {
                since: at(1_700_000_001_000),
                until: at(1_700_000_031_000),
                reason: Reason::Refused,
                message: "refused".to_owned(),
                cause: Some("\"Bad client credentials\"".to_owned()),
                hint: Some("check the secret".to_owned()),
                scope: Scope {
                    secret: digest,
                    is_from_program: true,
                    auth_method: Some("auto".to_owned()),
                    time_limit: Some(Duration::from_secs(9)),
                },
            }],
            refresh_not_before: Some(at(1_700_040_000_789)),
            refused_at: Some(at(1_700_000_000_100)),
        }
    }

    /// Parses an entry after `change` modified its file.
    fn changed(change: impl FnOnce(&mut Value)) -> Option<Entry> {
        let mut wire: Value = serde_json::from_slice(&entry().to_bytes(&key("i"))).unwrap();
        change(&mut wire);
        Entry::from_bytes(wire.to_string().as_bytes(), &key("i"))
    }

    #[test]
    fn what_is_written_is_read_to_the_millisecond() {
        for entry in [entry(), Entry::default()] {
            let bytes = entry.to_bytes(&key("i"));
            assert_eq!(Entry::from_bytes(&bytes, &key("i")), Some(entry));
            assert_eq!(bytes.last(), Some(&b'\n'), "a text file");
        }
    }

    #[test]
    fn an_entry_of_another_version_or_another_identity_is_a_miss() {
        let bytes = entry().to_bytes(&key("i"));
        assert_eq!(
            Entry::from_bytes(&bytes, &key("j")),
            None,
            "a renamed file does not give another identity its token"
        );
        assert_eq!(changed(|wire| wire["version"] = json!(2)), None);
        assert_eq!(changed(|wire| wire["version"] = json!(0)), None);
        assert!(changed(|_| {}).is_some());
    }

    #[test]
    fn a_moment_that_no_calendar_has_is_a_miss_and_not_a_crash() {
        for ms in [i64::MAX, i64::MIN] {
            for (part, name) in [
                ("token", "requested_at_ms"),
                ("token", "obtained_at_ms"),
                ("token", "expires_at_ms"),
                ("cooldown", "since_ms"),
                ("cooldown", "until_ms"),
            ] {
                assert_eq!(changed(|wire| wire[part][name] = json!(ms)), None, "{name}");
            }
            let read = changed(|wire| wire["refresh_not_before_ms"] = json!(ms));
            assert_eq!(read, None);
        }
    }

    #[test]
    fn words_from_a_file_reach_the_terminal_without_control_characters() {
        let read = changed(|wire| wire["cooldown"]["message"] = json!("a\u{1b}[31mb\nc"));
        let message = read.unwrap().cooldowns.remove(0).message;
        assert_eq!(message, "a [31mb c", "another program may change it");
    }

    #[test]
    fn a_digest_that_is_none_is_not_taken_for_one() {
        for digest in ["", "00", &"g".repeat(96)] {
            let read = changed(|wire| wire["token"]["secret_digest"] = json!(digest));
            assert_eq!(read.unwrap().tokens.remove(0).secret, None, "{digest:?}");
        }
    }
}
