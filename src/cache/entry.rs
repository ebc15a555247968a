//! One entry of the cache, and its form on disk.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::digest::SecretDigest;
use super::key::Key;
use crate::types::secret::Secret;
use crate::types::token::{AccessToken, Token, is_from_the_future};

/// The version of the form; an entry of another version is a miss.
const VERSION: u32 = 1;

/// The longest life of a token that is believed, in seconds: 366 days.
const LONGEST_LIFE_S: u64 = 366 * 24 * 3600;

/// What is known of one identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The token, and the secret it was obtained with.
    pub(crate) held: Option<CachedToken>,
    /// The longest life that a token of this identity had when it was obtained.
    pub(crate) longest_life: Option<Duration>,
    /// The form of request that worked last; kept when the token goes.
    pub(crate) auth_method: Option<String>,
    /// When not to ask again, and why.
    pub(crate) cooldown: Option<Cooldown>,
    /// After a refresh ahead of expiry failed: not to be tried before.
    pub(crate) refresh_not_before: Option<OffsetDateTime>,
    /// When a server's refusal of a token was last believed.
    pub(crate) refused_at: Option<OffsetDateTime>,
}

/// A token in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedToken {
    /// The token.
    pub(crate) token: Token,
    /// The secret it was obtained with.
    pub(crate) secret: Option<SecretDigest>,
    /// Whether a server called it no good.
    pub(crate) is_refused: bool,
}

/// A time in which nobody asks the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cooldown {
    /// When it was recorded.
    pub(crate) since: OffsetDateTime,
    /// When it ends.
    pub(crate) until: OffsetDateTime,
    /// What kind of failure it follows.
    pub(crate) reason: Reason,
    /// The failure in words, as it was told to the one who met it; nothing secret.
    pub(crate) message: String,
    /// The nearest cause, likewise.
    pub(crate) cause: Option<String>,
    /// What to do, likewise.
    pub(crate) hint: Option<String>,
    /// The secret that was refused; a cool-down does not bind another one.
    pub(crate) secret: Option<SecretDigest>,
}

/// What a cool-down follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// 429.
    RateLimited,
    /// The credentials were refused.
    Refused,
    /// No connection, no answer, or one that is no token.
    Unavailable,
    /// The program that knows the client secret did not give it.
    NoSecret,
}

impl Entry {
    /// The token, if it counts for whoever has this secret: obtained with it (where that can be
    /// told), and not by a clock that has since gone back.
    pub(crate) fn held_for(
        &self,
        secret: Option<&Secret>,
        now: OffsetDateTime,
    ) -> Option<&CachedToken> {
        self.held.as_ref().filter(|held| {
            is_of(held.secret.as_ref(), secret) && !is_from_the_future(held.token.obtained_at, now)
        })
    }

    /// The longest life of a token of this identity, `token` included.
    pub(crate) fn longest_life(&self, token: &Token) -> Duration {
        self.longest_life.unwrap_or_default().max(token.life())
    }

    /// The cool-down, if it binds whoever has this secret now.
    pub(crate) fn cooldown_for(
        &self,
        secret: Option<&Secret>,
        now: OffsetDateTime,
    ) -> Option<&Cooldown> {
        self.cooldown.as_ref().filter(|cooldown| {
            now < cooldown.until
                && is_of(cooldown.secret.as_ref(), secret)
                && !is_from_the_future(cooldown.since, now)
        })
    }

    /// The bytes of the file. They hold the token; the mode of the file guards it.
    pub(super) fn to_bytes(&self, key: &Key) -> Zeroizing<Vec<u8>> {
        let wire = WireEntry {
            version: VERSION,
            key: key.as_str().into(),
            token: self.held.as_ref().map(WireHeld::of),
            longest_life_s: self.longest_life.map(|life| life.as_secs()),
            auth_method: self.auth_method.as_deref().map(Into::into),
            cooldown: self.cooldown.as_ref().map(WireCooldown::of),
            refresh_not_before_ms: self.refresh_not_before.map(to_ms),
            refused_at_ms: self.refused_at.map(to_ms),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(24 * 1024));
        // Writing numbers and texts into memory cannot fail; an empty file would be a miss.
        if serde_json::to_writer(&mut *bytes, &wire).is_err() {
            bytes.clear();
        }
        bytes.push(b'\n');
        bytes
    }

    /// Reads such bytes; `None` where they are torn, of another version or of another identity.
    pub(super) fn from_bytes(bytes: &[u8], key: &Key) -> Option<Self> {
        let wire: WireEntry<'_> = serde_json::from_slice(bytes).ok()?;
        if wire.version != VERSION || wire.key != key.as_str() {
            return None;
        }
        Some(Self {
            held: match wire.token {
                Some(token) => Some(token.into_held()?),
                None => None,
            },
            longest_life: wire
                .longest_life_s
                .map(|seconds| Duration::from_secs(seconds.min(LONGEST_LIFE_S))),
            auth_method: wire.auth_method.map(Into::into),
            cooldown: match wire.cooldown {
                Some(cooldown) => Some(cooldown.into_cooldown()?),
                None => None,
            },
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

/// Whether a digest is of this secret, as far as both are known.
fn is_of(digest: Option<&SecretDigest>, secret: Option<&Secret>) -> bool {
    digest
        .zip(secret)
        .is_none_or(|(digest, secret)| digest.is_of(secret))
}

fn to_ms(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// A moment of an entry. One outside the years 1970 to 9000 is none that this program wrote, and
/// reckoning with it could leave the range of dates.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    longest_life_s: Option<u64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    auth_method: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cooldown: Option<WireCooldown>,
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
    reason: Reason,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_digest: Option<String>,
}

impl WireCooldown {
    fn of(cooldown: &Cooldown) -> Self {
        Self {
            since_ms: to_ms(cooldown.since),
            until_ms: to_ms(cooldown.until),
            reason: cooldown.reason,
            message: cooldown.message.clone(),
            cause: cooldown.cause.clone(),
            hint: cooldown.hint.clone(),
            secret_digest: cooldown
                .secret
                .as_ref()
                .map(|digest| digest.as_str().to_owned()),
        }
    }

    fn into_cooldown(self) -> Option<Cooldown> {
        Some(Cooldown {
            since: from_ms(self.since_ms)?,
            until: from_ms(self.until_ms)?,
            reason: self.reason,
            message: crate::types::quote::clean(&self.message),
            cause: self.cause.as_deref().map(crate::types::quote::clean),
            hint: self.hint.as_deref().map(crate::types::quote::clean),
            secret: self.secret_digest.and_then(SecretDigest::parse),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use time::OffsetDateTime;

    use super::super::Identity;
    use super::{AccessToken, CachedToken, Cooldown, Entry, Key, Reason, SecretDigest, Token};
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
            held: Some(CachedToken {
                token: Token {
                    access_token: AccessToken::parse("t-1".to_owned()).unwrap(),
                    scope: Some("read write".to_owned()),
                    requested_at: at(1_700_000_000_023),
                    obtained_at: at(1_700_000_000_123),
                    expires_at: at(1_700_043_199_456),
                },
                secret: digest.clone(),
                is_refused: true,
            }),
            longest_life: Some(Duration::from_secs(43_199)),
            auth_method: Some("basic".to_owned()),
            cooldown: Some(Cooldown {
                since: at(1_700_000_001_000),
                until: at(1_700_000_031_000),
                reason: Reason::Refused,
                message: "refused".to_owned(),
                cause: Some("\"Bad client credentials\"".to_owned()),
                hint: Some("check the secret".to_owned()),
                secret: digest,
            }),
            refresh_not_before: Some(at(1_700_040_000_789)),
            refused_at: Some(at(1_700_000_000_100)),
        }
    }

    /// What is read of an entry after somebody changed its file.
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
            assert_eq!(bytes.last(), Some(&b'\n'), "it is a text file");
        }
    }

    #[test]
    fn an_entry_of_another_version_or_another_identity_is_a_miss() {
        let bytes = entry().to_bytes(&key("i"));
        assert_eq!(
            Entry::from_bytes(&bytes, &key("j")),
            None,
            "whoever renames a file gives nobody another's token"
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
        let message = read.unwrap().cooldown.unwrap().message;
        assert_eq!(message, "a [31mb c", "the file may be of other hands");
    }

    #[test]
    fn a_digest_that_is_none_is_not_taken_for_one() {
        for digest in ["", "00", &"g".repeat(96)] {
            let read = changed(|wire| wire["token"]["secret_digest"] = json!(digest));
            assert_eq!(read.unwrap().held.unwrap().secret, None, "{digest:?}");
        }
    }
}
